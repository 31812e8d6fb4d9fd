"""Fields that requests and tables of several use cases share, and the base of values that are read.

Ids, times and amounts have the limits that tables have too: a value that is refused in a file is
refused in a request with the same words.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

LONGEST_ID = 64  # characters
MONEY_LIMIT = 1e9  # amounts are less than this
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=1)  # how far ahead of ours a sender's clock may be
PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and tomorrow (UTC)"


class Frozen(BaseModel):
    """A value read from a file or a request: fields cannot change, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
