"""Requests, events and responses of the demand server.

The fields of `SoldWeek` are the raw columns everywhere: of an own source, of the feature table, of
the event store and of a request. A new field belongs to `Plan` or to `PastWeek`; the rules of a
field hold in all of them.
"""

from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from ..fields import Identifier
from ..frozen import Frozen
from ..time_and_money_fields import EARLIEST, GRACE, PERIOD, Money, Period
from .features import WEEK_DAYS

UNITS_LIMIT = 1e6
MIN_HISTORY = 8
MAX_HISTORY = 104
"""Weeks that a forecast needs before it, and the most that a request may carry."""
AHEAD = timedelta(days=366)
AHEAD_PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and a year from today"


def parse_date(value: object) -> object:
    """Parse text in ISO 8601; pydantic would also take text such as "1714953600" for a date."""
    if not isinstance(value, str):
        return value
    if value[4:5] != "-":
        raise ValueError("must be a date such as 2024-01-29")
    return date.fromisoformat(value)


def _is_monday(day: date) -> date:
    if day.weekday():
        raise ValueError("must be a Monday, the first day of the week")
    return day


Week = Annotated[
    date,
    BeforeValidator(parse_date),
    AfterValidator(_is_monday),
    Field(description="the Monday on which it begins"),
]
Share = Annotated[
    float, Field(ge=0, le=1, allow_inf_nan=False, description="of the product's sales, 0 to 1")
]


class Plan(Frozen):
    """A week's promotions: for each kind, the share of sales made in stores that have it."""

    model_config = ConfigDict(allow_inf_nan=False)

    week: Annotated[Week, AfterValidator(Period(AHEAD, AHEAD_PERIOD))]
    ad_front: Share = 0
    ad_inside: Share = 0
    display_front: Share = 0
    display_end: Share = 0
    display_other: Share = 0


class PastWeek(Plan):
    """A week that is over: what was promoted and what was sold."""

    week: Annotated[Week, AfterValidator(Period(GRACE, PERIOD))]
    units: float = Field(ge=0, lt=UNITS_LIMIT, allow_inf_nan=False)
    sales: Money
    discount: Money = 0


class SoldWeek(PastWeek):
    """A week of a product that is over, as an event."""

    product_id: Identifier


PLANNED = tuple(name for name in Plan.model_fields if name != "week")
"""The columns that are known before the week."""
SOLD = tuple(name for name in PastWeek.model_fields if name not in Plan.model_fields)
"""The columns, numbers, that are known when it is over."""


class DemandRequest(Frozen):
    """A product, and the plan of the week to forecast."""

    product_id: Identifier
    history: list[PastWeek] | None = Field(
        default=None,
        min_length=MIN_HISTORY,
        max_length=MAX_HISTORY,
        fail_fast=True,
        description="recent weeks, the oldest first; without it, the stored ones are used",
    )
    plan: Plan
    explain: bool = Field(default=False, description="return reasons for the forecast")

    @model_validator(mode="after")
    def _weeks_are_consecutive(self) -> Self:
        past = self.history or []
        weeks = [*(week.week for week in past), self.plan.week]
        for index, (week, following) in enumerate(pairwise(weeks), 1):
            if following - week != timedelta(days=WEEK_DAYS):
                name = f"history[{index}]" if index < len(past) else "plan"
                raise ValueError(f"{name}.week must be the Monday after history[{index - 1}].week")
        return self


class Reason(Frozen):
    """A feature that moved the forecast."""

    feature: str
    meaning: str
    effect: float = Field(
        description="units: the median, less the median with the feature at its training median"
    )


class DemandResponse(Frozen):
    """The forecast for one product: units in the week of the plan."""

    value: float = Field(description="the median")
    low: float = Field(description="the 10 % quantile")
    high: float = Field(description="the 90 % quantile")
    reasons: list[Reason] = Field(
        description="with explain, the features that moved the median most, largest first"
    )
