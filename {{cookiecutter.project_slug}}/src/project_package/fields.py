"""Fields that the requests of several use cases share, and how the numbers of answers are written.

Names, times and amounts of money have the limits that their table has too, so that a value which
the table refuses is refused in a request with the same words.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field
from pydantic_core import to_json

from .contract import Columns

LONGEST_ID = 64
"""Characters of an identifier."""
MONEY_LIMIT = 1e9
"""Amounts are less than this."""
EPOCH, EARLIEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=1)
"""How far ahead of ours the clock of a sender may be."""
PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and tomorrow (UTC)"


def until(grace: timedelta, period: str) -> Callable[[datetime], datetime]:
    """Give the validator of times from `EARLIEST` to now + `grace`; it turns them to UTC.

    A time without a zone is in UTC already. The validator raises ValueError with the text `period`
    for a time outside.
    """
    ahead = grace.total_seconds()

    def check(moment: datetime) -> datetime:
        if 1900 < moment.year < 9000:  # no other has a UTC time for sure
            naive = moment.tzinfo is None
            moment = moment.replace(tzinfo=UTC) if naive else moment.astimezone(UTC)
            if moment >= EARLIEST and moment.timestamp() <= time.time() + ahead:
                return moment  # of Python's UTC, which is reckoned with faster than pydantic's
        raise ValueError(period)

    return check


Moment = Annotated[
    datetime,
    AfterValidator(until(GRACE, PERIOD)),
    Field(description="UTC unless it says a zone"),
]
Identifier = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]*$"),  # which no database takes
]
Money = Annotated[
    float, Field(ge=0, lt=MONEY_LIMIT, allow_inf_nan=False, description="in one currency")
]


def milliseconds(moments: Sequence[datetime]) -> NDArray[np.int64]:
    """Give the whole milliseconds since 1970 of times with a zone, (moments,)."""
    seconds = np.array([moment.timestamp() for moment in moments])
    return np.rint(seconds * 1e6).astype(np.int64) // 1000  # doubles hold microseconds exactly


def numbers(values: NDArray[Any]) -> list[str]:
    """Write numbers as JSON, (rows,); one that is not finite as null."""
    return to_json(values.tolist(), inf_nan_mode="null").decode()[1:-1].split(",")


def objects(columns: Columns) -> list[str]:
    """Write named numbers, (rows,) each, as a JSON object a row; whole columns are faster."""
    form = "{" + ",".join(f'"{name}":%s' for name in columns) + "}"
    return [form % row for row in zip(*map(numbers, columns.values()), strict=True)]
