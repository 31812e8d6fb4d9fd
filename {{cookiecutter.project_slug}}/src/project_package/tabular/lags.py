"""Features that are made of earlier rows: lags and rolling means of a number.

The rows before a row are those of its group (of the table, if it has no group) with an earlier time
and a known value, the newest first; `split.gap_days` leaves out those that are not known in time.
Rows of the same time come in the order of their values. A row without a group has none before it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..columns import Columns
from ..data.table_schema import Schema
from .date_parts import DAY


def before_columns(table: Schema) -> Mapping[str, str]:
    """Return the columns with lags or means, by the field of their earlier values.

    The field of `sales` is `sales before`, in requests and in rows.
    """
    return {f"{name} before": name for name, column in table.columns.items() if column.longest}


def lag_columns(table: Schema) -> Mapping[str, tuple[str, slice]]:
    """Return the field and the part of it that is averaged, by feature, such as `sales lag 7`."""
    parts: dict[str, tuple[str, slice]] = {}
    for field, name in before_columns(table).items():
        column = table.columns[name]
        parts |= {f"{name} lag {rows}": (field, slice(rows - 1, rows)) for rows in column.lags}
        parts |= {f"{name} mean {rows}": (field, slice(rows)) for rows in column.means}
    return parts


def mean_before(before: NDArray[Any]) -> NDArray[Any]:
    """Compute the mean of the known values before each row: (rows,), NaN where there is none."""
    with np.errstate(invalid="ignore"):  # 0 / 0
        return np.asarray(np.nansum(before, axis=1) / np.sum(~np.isnan(before), axis=1))


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
