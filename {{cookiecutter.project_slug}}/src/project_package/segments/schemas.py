"""Requests, events and responses of the segments server."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from ..fields import Identifier, parse_time
from ..frozen import Frozen
from ..time_and_money_fields import EARLIEST, GRACE, Moment, Money, Period
from .features import DAYS, KINDS, MIN_BASKETS

MAX_BASKETS = 1_000
CENT = 0.01
"""By how much a sum of rounded amounts may exceed the whole."""
AsOf = Annotated[
    datetime,
    BeforeValidator(parse_time),
    AfterValidator(
        Period(2 * GRACE, f"must lie between {EARLIEST:%Y-%m-%d} and the day after tomorrow (UTC)")
    ),
    Field(description="the moment to look at the household; UTC unless it has a zone"),
]
"""It may be the midnight after a basket of tomorrow."""


class Basket(Frozen):
    """What a household bought at once, in one currency."""

    model_config = ConfigDict(allow_inf_nan=False)

    basket_id: Identifier
    timestamp: Moment
    sales: Money = Field(description="paid for all goods")
    discount: Money = Field(default=0, description="promotions and coupons")
    store_brand: Money = 0
    fresh: Money = 0
    drugstore: Money = 0

    @model_validator(mode="after")
    def _parts_do_not_exceed_the_whole(self) -> Self:
        if sum(getattr(self, kind) for kind in KINDS) > self.sales + CENT:
            raise ValueError(f"sales must be at least {', '.join(KINDS)} together")
        if self.store_brand > self.sales + CENT:
            raise ValueError("store_brand must be a part of sales")
        return self


class BoughtBasket(Basket):
    """A basket of a household, as an event."""

    household_id: Identifier


class SegmentsRequest(Frozen):
    """A household and the moment at which to look at it."""

    household_id: Identifier
    as_of: AsOf
    baskets: list[Basket] | None = Field(
        default=None,
        min_length=MIN_BASKETS,
        max_length=MAX_BASKETS,
        fail_fast=True,
        description="those of the half year before; without them, the stored ones are used",
    )

    @model_validator(mode="after")
    def _baskets_are_recent(self) -> Self:
        seen: set[str] = set()
        for index, basket in enumerate(self.baskets or ()):
            if basket.timestamp > self.as_of:
                raise ValueError(f"baskets[{index}].timestamp is later than as_of")
            if basket.timestamp <= self.as_of - timedelta(days=DAYS):
                raise ValueError(f"baskets[{index}].timestamp is {DAYS} days before as_of, or more")
            if basket.basket_id in seen:
                raise ValueError(f"baskets[{index}].basket_id appears twice")
            seen.add(basket.basket_id)
        return self


class Typical(Frozen):
    """A feature that sets a segment apart."""

    feature: str
    meaning: str
    household: float = Field(description="the value of this household")
    segment: float = Field(description="the median of its segment")
    everyone: float = Field(description="the median of all households")


class SegmentsResponse(Frozen):
    """The segment of one household."""

    segment: int
    name: str
    distance: float = Field(description="from the segment's centre, in standard deviations")
    certainty: float = Field(
        description="share of clusterings of other samples of households with the same segment"
    )
    typical: list[Typical]
