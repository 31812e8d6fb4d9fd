"""Features that are made of earlier rows: lags and rolling means of a number.

The rows before a row are those of its group (of the table, if it has no group) with an earlier time
and a known value, the newest first; `split.gap_days` leaves out those that are not known in time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..columns import Columns
from ..data.table_schema import Schema
from .date_parts import DAY

Values: TypeAlias = NDArray[Any]


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


def mean_before(before: Values, part: slice) -> Values:
    """Compute the mean of the known values in a part of earlier ones: (rows,), NaN without any."""
    known = ~np.isnan(before[:, part])
    total = np.where(known, before[:, part], 0).sum(axis=1)
    count = known.sum(axis=1)
    return np.where(count, total / np.maximum(count, 1), np.nan)


def padded(lists: Sequence[Sequence[float | None] | None], longest: int) -> Values:
    """Return the earlier values of requests: (requests, longest), NaN where there is none."""
    before = np.full((len(lists), longest), np.nan)
    for row, values in zip(before, lists, strict=True):
        row[: len(values or ())] = np.array(values or (), np.float64)
    return before


def values_before(
    table: Schema, rows: pl.DataFrame, stored: pl.DataFrame, gap_days: float
) -> Columns:
    """Return the values before each row, by field: (rows, longest), NaN where there is none.

    They come from stored rows, and from `rows` at times of which the group has no stored value.
    """
    keys = [*table.of_role("time"), *table.of_role("group")]
    found = {}
    for field, name in before_columns(table).items():
        known = stored.select(*keys, name).drop_nulls(name)
        if name in rows.columns:
            new = rows.select(*keys, name).drop_nulls(name).join(known, on=keys, how="anti")
            known = pl.concat([known, new])
        both = pl.concat([known.select(keys), rows.select(keys)])
        found[field] = _newest_first(
            known[name].to_numpy(),
            both[keys[0]].dt.epoch("ms").to_numpy(),
            both.select(pl.struct(keys[1:] or pl.lit(0)).rank("dense")).to_series().to_numpy(),
            gap_days * DAY,
            table.columns[name].longest,
        )
    return found


def _newest_first(
    values: Values, times: Values, groups: Values, gap: float, longest: int
) -> Values:
    """Return the values before the rows whose times and groups follow those of the values."""
    count = len(values)
    moments, code = np.unique(times[:count], return_inverse=True)
    first = groups.astype(np.int64) * (len(moments) + 1)
    key = first[:count] + code
    order = np.lexsort((values, key))  # values of one time by size: the same in any order of rows
    start = np.searchsorted(key[order], first[count:])
    earlier = np.searchsorted(moments, times[count:] - gap, side="right" if gap else "left")
    end = np.searchsorted(key[order], first[count:] + earlier)
    sorted_values = np.append(values[order], np.nan)
    before = np.empty((len(end), longest))
    for lag in range(1, longest + 1):
        before[:, lag - 1] = sorted_values[np.where(end - lag >= start, end - lag, -1)]
    return before
