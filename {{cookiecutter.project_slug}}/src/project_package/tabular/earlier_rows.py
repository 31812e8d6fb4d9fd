"""Find the values before each row of a table, of which lags and rolling means are made.

The rows before a row are those of its group (of the table, if it has no group) with an earlier time
and a known value, the newest first; `split.gap_days` leaves out those that are not known in time.
Rows of the same time come in the order of their values. A row without a group has none before it.
Polars finds them, which a server does not load: what it needs of lags is in lags.py.
"""

import numpy as np
import polars as pl

from ..columns import Columns
from ..data.table_schema import Schema
from .date_parts import DAY
from .lags import before_columns


def values_before(table: Schema, rows: pl.DataFrame, stored: pl.DataFrame, gap: float) -> Columns:
    """Return the values before each row, by field: (rows, longest), NaN where there is none.

    They lie at least `gap` days before the row, and come from stored rows, and from `rows` at times
    of which the group has no stored value.
    """
    group = next((pl.col(name) for name in table.of_role("group")), pl.lit(0)).alias("group")
    distance = pl.duration(milliseconds=max(gap * DAY, 1))  # times are whole milliseconds
    found = {}
    for field, name in before_columns(table).items():
        time = pl.col(*table.of_role("time")).alias("time")
        known = stored.select(time, group, pl.col(name).alias("value")).drop_nulls("value")
        if name in rows.columns:
            new = rows.select(time, group, pl.col(name).alias("value")).drop_nulls("value")
            known = pl.concat([known, new.join(known, on=["time", "group"], how="anti")])
        known = known.sort("time", "group", "value").with_row_index("newest", 1)
        last = rows.select(time - distance, group).with_row_index("row").sort("time")
        last = last.join_asof(known, on="time", by="group", check_sortedness=False).sort("row")
        newest = last["newest"].fill_null(0).to_numpy()
        before = np.empty((len(rows), table.columns[name].longest))
        for back in range(before.shape[1]):
            values = known.select(pl.col("value").shift(back).over("group")).to_series()
            before[:, back] = np.append(np.nan, values.to_numpy())[newest]
        found[field] = before
    return found
