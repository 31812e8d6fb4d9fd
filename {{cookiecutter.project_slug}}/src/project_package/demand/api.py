"""What a request carries and what an answer says; the way from one to the other.

A request is one product: its recent weeks, what was sold and promoted in each, and the promotions
that are planned for the week to come.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, Field, model_validator

from ..contract import Api, Columns, Files, Frozen
from ..fields import EPOCH, Identifier, Money
from ..windows import MILLISECONDS_A_DAY
from .features import LEVEL, PLANS, PRODUCT, SOLD, WEEK_DAYS, feature_columns

UNITS_LIMIT = 1e6
LEAST_HISTORY, MAX_HISTORY = 8, 104
"""Weeks that a forecast needs before it, and that a request may carry."""
ASSETS = "assets.json"
OUTPUTS = ("value", "low", "high")
"""In units a week; the graph has them before, and the answer after the bounds were corrected."""


def _monday(day: date) -> date:
    if day.weekday():
        raise ValueError("must be a Monday, the first day of the week")
    return day


Week = Annotated[date, AfterValidator(_monday), Field(description="the Monday it begins on")]
Share = Annotated[
    float,
    Field(default=0, ge=0, le=1, allow_inf_nan=False, description="of the product's sales, 0 to 1"),
]


class Plan(Frozen):
    """The promotions of a week: the share of the product's sales made in stores that have each."""

    week: Week
    ad_front: Share = 0
    ad_inside: Share = 0
    display_front: Share = 0
    display_end: Share = 0
    display_other: Share = 0


class PastWeek(Plan):
    """A week that is over: what was promoted and what was sold."""

    units: float = Field(ge=0, lt=UNITS_LIMIT, allow_inf_nan=False)
    sales: Money
    discount: Money = 0


class DemandRequest(Frozen):
    """A product's recent weeks, the oldest first, and the plan of the week to forecast."""

    product_id: Identifier
    history: list[PastWeek] = Field(min_length=LEAST_HISTORY, max_length=MAX_HISTORY)
    plan: Plan

    @model_validator(mode="after")
    def _weeks_follow_one_another(self) -> Self:
        weeks = [*(past.week for past in self.history), self.plan.week]
        for index, (week, after) in enumerate(pairwise(weeks), 1):
            if after - week != timedelta(days=WEEK_DAYS):
                here = f"history[{index}]" if index < len(self.history) else "plan"
                raise ValueError(f"{here}.week must be the Monday after history[{index - 1}].week")
        return self


class DemandResponse(BaseModel):
    """The answer for one product: units in the coming week."""

    value: float
    """As likely too high as too low."""
    low: float
    """One week in ten sells less."""
    high: float
    """One week in ten sells more."""


class DemandAssets(Frozen):
    """What decode needs beside the graph."""

    features: tuple[str, ...]
    low_factor: float = Field(gt=0)
    high_factor: float = Field(gt=0)
    """What the bounds, one unit added, are multiplied by: measured on validation weeks."""


def assets(files: Files) -> DemandAssets:
    """Parse the bundle's assets."""
    return DemandAssets.model_validate_json(files[ASSETS])


def write_assets(found: DemandAssets) -> Files:
    """Write assets for a bundle."""
    return {ASSETS: json.dumps(found.model_dump(mode="json"), indent=2).encode()}


def features(requests: Sequence[DemandRequest]) -> Columns:
    """Compute the features of each request's coming week: shape (requests,) each."""
    rows = [row for number, request in enumerate(requests) for row in _rows(number, request)]
    rows.sort(key=lambda row: row["timestamp"])
    names = ("timestamp", PRODUCT, *SOLD, *PLANS)
    columns = {name: np.array([row[name] for row in rows]) for name in names}
    computed = feature_columns(columns)
    asked = sorted((row["asks"], place) for place, row in enumerate(rows) if row["asks"] >= 0)
    places = np.array([place for _, place in asked], np.int64)
    return {name: values[places] for name, values in computed.items()}


def _rows(number: int, request: DemandRequest) -> Iterator[dict[str, Any]]:
    """Give the weeks of a request as rows of the weekly table; `asks` marks the one to forecast."""
    for past in request.history:
        yield _row(number, past) | {name: getattr(past, name) for name in SOLD} | {"asks": -1}
    yield _row(number, request.plan) | dict.fromkeys(SOLD, 0.0) | {"asks": number}


def _row(number: int, plan: Plan) -> dict[str, Any]:
    since = (plan.week - EPOCH.date()).days * MILLISECONDS_A_DAY
    shares = {name: float(getattr(plan, name)) for name in PLANS}
    return {"timestamp": since, PRODUCT: number} | shares


def encode(columns: Columns, known: DemandAssets) -> Columns:
    """Stack the features in the order of training: float32 of shape (rows, features)."""
    stacked = np.column_stack([columns[name] for name in known.features])
    return {"features": stacked.astype(np.float32, copy=False)}


def decode(outputs: Columns, _: Columns, known: DemandAssets) -> Columns:
    """Correct the bounds, and put them in order: value, low, high in units, (rows,) each.

    The correction is that of conformal quantile regression, a side each (Romano, Patterson and
    Candes 2019, theorem 2), for bounds that are wrong by a factor.
    """
    value = outputs["value"]
    low, high = (
        (outputs[name] + np.float32(1)) * np.float32(factor) - np.float32(1)
        for name, factor in (("low", known.low_factor), ("high", known.high_factor))
    )
    return {
        "value": value,
        "low": np.clip(low, np.float32(0), value),
        "high": np.maximum(high, value),
    }


def respond(predictions: Columns, _: DemandAssets) -> list[DemandResponse]:
    """Give one response a row."""
    return [
        DemandResponse(value=float(value), low=float(low), high=float(high))
        for value, low, high in zip(*map(predictions.__getitem__, OUTPUTS), strict=True)
    ]


def signals(columns: Columns, predictions: Columns) -> Columns:
    """Watch the product's level, the forecast over it, and the width of the interval over it."""
    level = columns[LEVEL] + 1
    return {
        "level": columns[LEVEL],
        "ratio": (predictions["value"] + 1) / level,
        "width": (predictions["high"] - predictions["low"]) / level,
    }


API = Api(
    name="demand",
    request=DemandRequest,
    response=DemandResponse,
    assets=assets,
    features=features,
    encode=encode,
    decode=decode,
    respond=respond,
    signals=signals,
)
