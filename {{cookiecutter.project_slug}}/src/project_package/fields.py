"""Fields that requests of several use cases share, and how requests become rows.

Ids, times and amounts have the limits that tables have too: a value that is refused in a file is
refused in a request with the same words.
"""

import time
import types
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from .contract import Columns

LONGEST_ID = 64  # characters
MONEY_LIMIT = 1e9  # amounts are less than this
EPOCH, EARLIEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=1)  # how far ahead of ours a sender's clock may be
PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and tomorrow (UTC)"
TIMESTAMP = "timestamp"
"""The column of rows with their time: int64, milliseconds since 1970, UTC."""


def until(grace: timedelta, period: str) -> Callable[[datetime], datetime]:
    """Return the validator of times from `EARLIEST` to now + `grace`; it converts them to UTC.

    A time without a zone is taken as UTC. The validator raises ValueError with the text `period`
    for a time outside.
    """
    ahead = grace.total_seconds()

    def check(moment: datetime) -> datetime:
        if 1900 < moment.year < 9000:  # others may have no UTC time
            naive = moment.tzinfo is None
            moment = moment.replace(tzinfo=UTC) if naive else moment.astimezone(UTC)
            if moment >= EARLIEST and moment.timestamp() <= time.time() + ahead:
                return moment
        raise ValueError(period)

    return check


def parse_time(value: object) -> object:
    """Parse text in ISO 8601; pydantic would also take text such as "1700000000" for a time."""
    if not isinstance(value, str):
        return value
    if value[4:5] != "-":
        raise ValueError("must be a date and time such as 2024-01-31T23:59:59Z")
    return datetime.fromisoformat(value)


Moment = Annotated[
    datetime,
    BeforeValidator(parse_time),
    AfterValidator(until(GRACE, PERIOD)),
    Field(description="UTC unless it has a zone"),
]
Identifier = Annotated[  # databases refuse NUL
    str, Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]*$", examples=["A-1"])
]
Money = Annotated[
    float, Field(ge=0, lt=MONEY_LIMIT, allow_inf_nan=False, description="in one currency")
]


def columns_of(model: type[BaseModel]) -> Mapping[str, type]:
    """Return the columns of the rows that `to_rows` makes, each with its type.

    str for text, float for numbers and booleans, int for the timestamp.
    """
    return {TIMESTAMP if kind is int else name: kind for name, kind in _kinds(model).items()}


def to_rows(requests: Sequence[BaseModel], model: type[BaseModel] | None = None) -> Columns:
    """Turn flat models (of type `model` where there may be none) into rows: one column per field.

    Text has dtype object; numbers and booleans float64, None as NaN. The one date or time of the
    model becomes the column `timestamp`: int64, milliseconds since 1970.
    """
    rows: dict[str, NDArray[Any]] = {}
    for name, kind in _kinds(model or type(requests[0])).items():
        values = [getattr(request, name) for request in requests]
        if kind is int:
            rows[TIMESTAMP] = milliseconds(values)
        else:
            rows[name] = np.array(values, object if kind is str else np.float64)
    return rows


def milliseconds(moments: Sequence[date]) -> NDArray[np.int64]:
    """Return whole milliseconds since 1970 of dates, or of times with a zone: (moments,)."""
    days = EPOCH.date()
    seconds = np.array(
        [m.timestamp() if isinstance(m, datetime) else (m - days).days * 86_400.0 for m in moments]
    )
    return np.rint(seconds * 1e6).astype(np.int64) // 1000  # doubles hold microseconds exactly


@cache
def _kinds(model: type[BaseModel]) -> Mapping[str, type]:
    """Return the type of the column of each field: see `columns_of`."""
    kinds = {name: _kind(field.annotation) for name, field in model.model_fields.items()}
    if list(kinds.values()).count(int) > 1:
        raise TypeError(f"{model.__name__} has two dates: only one can be the timestamp of a row")
    return kinds


def _kind(annotation: Any) -> type:
    if get_origin(annotation) is Literal:
        return _kind(type(get_args(annotation)[0]))
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return next(_kind(part) for part in get_args(annotation) if part is not type(None))
    if not isinstance(annotation, type):
        raise TypeError(f"{annotation} is not a column: use str, a number, a date or a datetime")
    return int if issubclass(annotation, date) else str if issubclass(annotation, str) else float
