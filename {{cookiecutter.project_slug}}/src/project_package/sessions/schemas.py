"""Requests, events and responses of the recommendations."""

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from ..fields import Identifier, parse_time
from ..frozen import Frozen
from ..time_and_money_fields import EARLIEST, GRACE, Moment, Period
from .features import BASKETS, DAYS

MAX_COUNT = 50
"""Items of an answer, at most."""
MAX_ITEMS = 500
"""Items of a basket, at most."""
AsOf = Annotated[
    datetime,
    BeforeValidator(parse_time),
    AfterValidator(
        Period(2 * GRACE, f"must lie between {EARLIEST:%Y-%m-%d} and the day after tomorrow (UTC)")
    ),
    Field(description="when the next basket is bought; UTC unless it has a zone"),
]


class Purchase(Frozen):
    """An item that a household bought, as an event; items of one time are one basket."""

    household_id: Identifier
    timestamp: Moment
    item: Identifier


class Basket(Frozen):
    """What a household bought at once."""

    timestamp: Moment
    items: list[Identifier] = Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)


class SessionsRequest(Frozen):
    """A household, and the moment for which to recommend."""

    household_id: Identifier
    as_of: AsOf
    baskets: list[Basket] | None = Field(
        default=None,
        max_length=BASKETS,
        fail_fast=True,
        description="its recent baskets; without them, the stored ones are used",
    )
    count: int = Field(default=10, ge=1, le=MAX_COUNT, description="how many items to recommend")
    exclude: list[Identifier] = Field(
        default=[],
        max_length=10_000,
        fail_fast=True,
        description="items that are not available",
    )
    only_new: bool = Field(default=False, description="leave out what the household has bought")
    explain: bool = Field(default=False, description="return reasons for each item")

    @model_validator(mode="after")
    def _baskets_are_recent(self) -> Self:
        for index, basket in enumerate(self.baskets or ()):
            if basket.timestamp > self.as_of:
                raise ValueError(f"baskets[{index}].timestamp is later than as_of")
            if basket.timestamp <= self.as_of - timedelta(days=DAYS):
                raise ValueError(f"baskets[{index}].timestamp is {DAYS} days before as_of, or more")
        return self


class Label(Frozen):
    """The items of the household's next basket."""

    items: list[Identifier] = Field(min_length=1, max_length=MAX_ITEMS, fail_fast=True)


class Reason(Frozen):
    """An item of the household that moved a score."""

    item: str
    effect: float = Field(
        description="logarithm of the score, less that without the item in any basket"
    )


class Recommended(Frozen):
    """An item for the next basket."""

    item: str
    score: float = Field(description="share among the scores of all items; they sum to 1")
    bought: bool = Field(description="the household has bought it before")
    reasons: list[Reason] = Field(
        description="with explain, the items of the household that moved the score most"
    )


class SessionsResponse(Frozen):
    """The items for one household, the best first."""

    items: list[Recommended]
    baskets: int = Field(description="how many earlier baskets the answer is based on")
