"""Features that are made of a date: the day of the week, the month, the hour and so on."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.table_schema import Column, DatePart, Schema

Values: TypeAlias = NDArray[Any]
DAY = 86_400_000  # milliseconds
HOUR = 3_600_000
NAMES: Mapping[DatePart, tuple[str, ...]] = {
    "weekday": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    "month": ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
}
"""The parts that are categories; the others are numbers."""


def part_columns(table: Schema) -> Mapping[str, tuple[str, DatePart]]:
    """Return the date and its part, by the name of the feature, such as `arrival weekday`."""
    dates = {name: table.columns[name] for name in table.of_role("time", "feature")}
    return {f"{name} {part}": (name, part) for name, c in dates.items() for part in c.parts}


def part_column(date: Column, part: DatePart) -> Column:
    """Return what is known of a part of a date."""
    names = NAMES.get(part, ())
    kind = "category" if names else "number"
    return Column(role="feature", type=kind, categories=names, missing=date.missing)


def part_values(milliseconds: Values, part: DatePart) -> Values:
    """Compute a part of dates, (rows,) in milliseconds since 1970, UTC; NaN is a missing date."""
    known = np.isfinite(milliseconds)
    days = np.floor(np.where(known, milliseconds, 0) / DAY).astype(np.int64)
    dates = days.astype("datetime64[D]")
    if part == "weekday":
        return _named(part, (days + 3) % 7, known)  # 1970 began on a Thursday
    if part == "month":
        return _named(part, dates.astype("datetime64[M]").astype(np.int64) % 12, known)
    if part == "day_of_year":
        numbers = (dates - dates.astype("datetime64[Y]")).astype(np.float64) + 1
        return np.where(known, numbers, np.nan)
    return milliseconds % DAY / HOUR if part == "hour" else milliseconds / DAY


def _named(part: DatePart, codes: Values, known: Values) -> Values:
    return np.where(known, np.array(NAMES[part], object)[codes], "")
