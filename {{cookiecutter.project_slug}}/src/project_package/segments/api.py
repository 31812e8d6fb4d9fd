"""What a request carries and what an answer says; the way from one to the other.

A request is one household, the moment at which to look at it, and its baskets of the half year
before. The graph gives its segment, its distance from the centre of every segment, and the segment
that it has in clusterings of resampled households, which tells how sure the first one is.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, Field, model_validator

from ..contract import Api, Columns, Files, Frozen
from ..fields import EARLIEST, GRACE, Identifier, Moment, Money, milliseconds, until
from .features import (
    DAYS,
    DESCRIPTIONS,
    HOUSEHOLD,
    KINDS,
    LEAST_BASKETS,
    SPENT,
    feature_columns,
    positions,
)

MAX_BASKETS = 1_000
CENT = 0.01
"""By which a sum of rounded amounts may exceed the whole."""
ASSETS = "assets.json"
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


class SegmentsRequest(Frozen):
    """A household and its baskets of the half year before a moment."""

    household_id: Identifier
    as_of: AsOf
    baskets: list[Basket] = Field(min_length=LEAST_BASKETS, max_length=MAX_BASKETS)

    @model_validator(mode="after")
    def _baskets_are_recent(self) -> Self:
        seen: set[str] = set()
        for index, basket in enumerate(self.baskets):
            if basket.timestamp > self.as_of:
                raise ValueError(f"baskets[{index}].timestamp is later than as_of")
            if basket.timestamp <= self.as_of - timedelta(days=DAYS):
                raise ValueError(f"baskets[{index}].timestamp is {DAYS} days before as_of, or more")
            if basket.basket_id in seen:
                raise ValueError(f"baskets[{index}].basket_id is there twice")
            seen.add(basket.basket_id)
        return self


class Typical(BaseModel):
    """A feature that sets a segment apart."""

    feature: str
    meaning: str
    household: float
    """The value of this household."""
    segment: float
    """The median of its segment."""
    everyone: float
    """The median of all households."""


class SegmentsResponse(BaseModel):
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


def features(requests: Sequence[SegmentsRequest]) -> Columns:
    """Compute the features of each request's household: shape (requests,) each."""
    rows = [row for number, request in enumerate(requests) for row in _rows(number, request)]
    rows.sort(key=lambda row: (row["timestamp"], row["is_now"]))  # a moment after its baskets
    names = ("timestamp", HOUSEHOLD, "is_now", *SPENT)
    columns = {name: np.array([row[name] for row in rows]) for name in names}
    order = np.argsort(columns[HOUSEHOLD][columns["is_now"] > 0], kind="stable")
    return {name: values[order] for name, values in feature_columns(columns).items()}


def _rows(number: int, request: SegmentsRequest) -> Iterator[dict[str, Any]]:
    """Give baskets and moment as rows of the table; the request's number is the household's."""
    for basket in request.baskets:
        spent = {name: float(getattr(basket, name)) for name in SPENT}
        time = milliseconds(basket.timestamp)
        yield {"timestamp": time, HOUSEHOLD: number, "is_now": 0.0} | spent
    now = {"timestamp": milliseconds(request.as_of), HOUSEHOLD: number, "is_now": 1.0}
    yield now | dict.fromkeys(SPENT, 0.0)


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


def respond(predictions: Columns, known: SegmentsAssets) -> list[SegmentsResponse]:
    """Give one response a row."""
    return [
        SegmentsResponse(
            segment=int(segment),
            name=str(predictions["name"][row]),
            distance=float(predictions["distance"][row]),
            certainty=float(predictions["certainty"][row]),
            typical=[
                Typical(
                    feature=name,
                    meaning=DESCRIPTIONS[name],
                    household=float(predictions[name][row]),
                    segment=known.profiles[segment].medians[name],
                    everyone=known.medians[name],
                )
                for name in known.profiles[segment].telling
            ],
        )
        for row, segment in enumerate(predictions["segment"])
    ]


def signals(_: Columns, predictions: Columns) -> Columns:
    """Watch the distance, the certainty and the share of each segment."""
    return {name: predictions[name] for name in ("distance", "certainty", "segment")}


API = Api(
    name="segments",
    request=SegmentsRequest,
    response=SegmentsResponse,
    assets=assets,
    features=features,
    encode=encode,
    decode=decode,
    respond=respond,
    signals=signals,
)
