"""What a request carries and what an answer says; the way from one to the other.

A request is one household and the moment at which to look at it. The server remembers its baskets
of the half year before, or the request carries them. The graph gives its segment, its distance from
the centre of every segment, and the segment that it has in clusterings of resampled households,
which tells how sure the first one is.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import to_json
from typing_extensions import TypedDict

from ..contract import Api, Columns, Files, Frozen, Memory, Past
from ..fields import EARLIEST, GRACE, Identifier, Moment, Money, milliseconds, until
from ..features.history import EVENT
from ..features.windows import MILLISECONDS_A_DAY
from .features import (
    DAYS,
    DESCRIPTIONS,
    HOUSEHOLD,
    KINDS,
    LEAST_BASKETS,
    LOOKBACK_DAYS,
    SPENT,
    feature_columns,
    positions,
)

MAX_BASKETS = 1_000
CENT = 0.01
"""By which a sum of rounded amounts may exceed the whole."""
ASSETS = "assets.json"
ANSWER = ("segment", "name", "distance", "certainty")
AS_OF_PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and the day after tomorrow (UTC)"
AsOf = Annotated[
    datetime,
    AfterValidator(until(2 * GRACE, AS_OF_PERIOD)),
    Field(description="when the household is looked at; UTC unless it says a zone"),
]
"""A midnight after the newest basket, which may be of tomorrow."""


class Basket(Frozen):
    """What a household bought at once, in one currency."""

    basket_id: Identifier
    timestamp: Moment
    sales: Money
    """What it paid, all kinds of goods together."""
    discount: Money = 0
    """What promotions and coupons let it off."""
    store_brand: Money = 0
    fresh: Money = 0
    drugstore: Money = 0

    @model_validator(mode="after")
    def _parts_are_of_the_whole(self) -> Self:
        if sum(getattr(self, kind) for kind in KINDS) > self.sales + CENT:
            raise ValueError(f"sales must be at least {', '.join(KINDS)} together")
        if self.store_brand > self.sales + CENT:
            raise ValueError("store_brand must be a part of sales")
        return self


class BoughtBasket(Basket):
    """A basket of a household, for the server to remember."""

    household_id: Identifier


class SegmentsRequest(Frozen):
    """A household and the moment at which to look at it."""

    household_id: Identifier
    as_of: AsOf
    baskets: list[Basket] | None = Field(
        default=None,
        min_length=LEAST_BASKETS,
        max_length=MAX_BASKETS,
        description="of the half year before that moment; none: those the server knows",
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
                raise ValueError(f"baskets[{index}].basket_id is there twice")
            seen.add(basket.basket_id)
        return self


class Typical(TypedDict):
    """A feature that sets a segment apart."""

    feature: str
    meaning: str
    household: float
    """The value of this household."""
    segment: float
    """The median of its segment."""
    everyone: float
    """The median of all households."""


class SegmentsResponse(TypedDict):
    """The answer for one household."""

    segment: int
    name: str
    distance: float
    """From the segment's centre, in standard deviations along the axes of the clustering."""
    certainty: float
    """Share of clusterings of other samples of households that put it there too."""
    typical: list[Typical]


class Profile(Frozen):
    """A segment as it was when the model was trained."""

    name: str
    share: float = Field(ge=0, le=1)
    medians: dict[str, float]
    telling: tuple[str, ...]
    """The features that set it apart, the most telling first."""


class SegmentsAssets(Frozen):
    """What the answer needs beside the graph."""

    medians: dict[str, float]
    """Of all households."""
    profiles: tuple[Profile, ...]
    """Of each segment, in the order of its number."""


def assets(files: Files) -> SegmentsAssets:
    """Parse the bundle's assets."""
    return SegmentsAssets.model_validate_json(files[ASSETS])


def write_assets(found: SegmentsAssets) -> Files:
    """Write assets for a bundle."""
    return {ASSETS: json.dumps(found.model_dump(mode="json"), indent=2).encode()}


def basket_rows(households: Sequence[str], baskets: Sequence[Basket]) -> Columns:
    """Turn baskets of households into rows."""
    spent = {name: np.array([float(getattr(basket, name)) for basket in baskets]) for name in SPENT}
    return {
        "timestamp": milliseconds([basket.timestamp for basket in baskets]),
        HOUSEHOLD: np.array(households, object),
        "is_now": np.zeros(len(baskets)),
        **spent,
        EVENT: np.array([basket.basket_id for basket in baskets], object),
    }


def request_rows(requests: Sequence[SegmentsRequest]) -> Columns:
    """Give the rows of the moments at which households are looked at: nothing to remember."""
    count = len(requests)
    return {
        "timestamp": milliseconds([request.as_of for request in requests]),
        HOUSEHOLD: np.array([request.household_id for request in requests], object),
        "is_now": np.ones(count),
        **{name: np.zeros(count) for name in SPENT},
        EVENT: np.full(count, "", object),
    }


def carried(request: SegmentsRequest) -> Past | None:
    """Give the baskets that a request carries, in order of time."""
    if request.baskets is None:
        return None
    baskets = sorted(request.baskets, key=lambda basket: basket.timestamp)
    rows = basket_rows([request.household_id] * len(baskets), baskets)
    return {HOUSEHOLD: {name: rows[name] for name in ("timestamp", *MEMORY.entities[HOUSEHOLD])}}


def lacks(request: SegmentsRequest, past: Past) -> str:
    """Demand some baskets in the half year before the moment."""
    since = milliseconds([request.as_of]) - DAYS * MILLISECONDS_A_DAY
    if np.sum(past[HOUSEHOLD]["timestamp"] > since) >= LEAST_BASKETS:
        return ""
    return f"needs {LEAST_BASKETS} baskets in the {DAYS} days before as_of; send them to /v1/events"


def encode(columns: Columns, _: SegmentsAssets) -> Columns:
    """Place the households: float64 of shape (rows, features)."""
    return {"positions": positions(columns)}


def decode(outputs: Columns, columns: Columns, known: SegmentsAssets) -> Columns:
    """Add name, distance and certainty of the segment, (rows,) each, and keep the features.

    The graph gives segment (rows,), distances (rows, segments) and resampled (rows, resamples).
    """
    segment = outputs["segment"]
    mine = np.take_along_axis(outputs["distances"], segment[:, None], axis=1)[:, 0]
    agree = outputs["resampled"] == segment[:, None]
    names = np.array([profile.name for profile in known.profiles])
    more = {"name": names[segment], "distance": mine, "certainty": agree.mean(axis=1)}
    return {**outputs, **{name: columns[name] for name in DESCRIPTIONS}, **more}


def respond(predictions: Columns, known: SegmentsAssets) -> list[str]:
    """Write one response a row, as JSON."""
    given = {name: predictions[name].tolist() for name in (*ANSWER, *DESCRIPTIONS)}
    responses: list[SegmentsResponse] = [
        {
            "segment": segment,
            "name": given["name"][row],
            "distance": given["distance"][row],
            "certainty": given["certainty"][row],
            "typical": [
                {
                    "feature": name,
                    "meaning": DESCRIPTIONS[name],
                    "household": given[name][row],
                    "segment": known.profiles[segment].medians[name],
                    "everyone": known.medians[name],
                }
                for name in known.profiles[segment].telling
            ],
        }
        for row, segment in enumerate(given["segment"])
    ]
    return [to_json(response).decode() for response in responses]


def signals(_: Columns, predictions: Columns) -> Columns:
    """Watch the distance, the certainty and the share of each segment."""
    return {name: predictions[name] for name in ("distance", "certainty", "segment")}


MEMORY = Memory(
    entities={HOUSEHOLD: SPENT},  # all that is kept is of baskets, whose is_now is 0
    days=LOOKBACK_DAYS,
    subject=HOUSEHOLD,
    event=BoughtBasket,
    rows=lambda events: basket_rows([event.household_id for event in events], events),
)
API = Api(
    name="segments",
    request=SegmentsRequest,
    response=SegmentsResponse,
    assets=assets,
    memory=MEMORY,
    rows=request_rows,
    carried=carried,
    lacks=lacks,
    features=feature_columns,
    encode=encode,
    decode=decode,
    respond=respond,
    signals=signals,
)
