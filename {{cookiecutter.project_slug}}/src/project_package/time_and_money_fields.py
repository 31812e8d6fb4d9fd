"""Fields of events: times and amounts, with the limits that tables and requests have.

`data/field_rules.py` reads these limits, so that a value that is refused in a request is refused in
a file too.
"""

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from .fields import parse_time

MONEY_LIMIT = 1e9  # amounts are less than this
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=1)  # how far ahead of ours a sender's clock may be
PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and tomorrow (UTC)"


@dataclass(frozen=True)
class Period:
    """A validator of times from `EARLIEST` to some time after now; it converts them to UTC.

    A time without a zone is taken as UTC. A date stays a date, and its midnight is validated.
    """

    ahead: timedelta
    """How long after now the last valid time is."""
    rule: str
    """The text of the ValueError for a time outside."""

    def __call__(self, moment: date) -> date:
        """Return the time in UTC, or the date; raise ValueError if it lies outside."""
        if not isinstance(moment, datetime):
            self(datetime(moment.year, moment.month, moment.day, tzinfo=UTC))
            return moment
        if 1900 < moment.year < 9000:  # others may have no UTC time
            naive = moment.tzinfo is None
            moment = moment.replace(tzinfo=UTC) if naive else moment.astimezone(UTC)
            latest = time.time() + self.ahead.total_seconds()
            if moment >= EARLIEST and moment.timestamp() <= latest:
                return moment
        raise ValueError(self.rule)


Moment = Annotated[
    datetime,
    BeforeValidator(parse_time),
    AfterValidator(Period(GRACE, PERIOD)),
    Field(description="UTC unless it has a zone"),
]
Money = Annotated[
    float, Field(ge=0, lt=MONEY_LIMIT, allow_inf_nan=False, description="in one currency")
]
