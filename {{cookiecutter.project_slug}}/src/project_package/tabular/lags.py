"""Features that are made of earlier rows: lags and rolling means of a number.

They are made alike of the values before a row in a table, a file or a request.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.table_schema import Schema


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
