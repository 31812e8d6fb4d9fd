"""What a request carries and what an answer says; the way from one to the other.

A request is one product and the promotions that are planned for the week to come. The server
remembers what was sold and promoted in its recent weeks, or the request carries them.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator
from typing_extensions import TypedDict

from ..contract import Api, Columns, Files, Frozen, Memory, Past
from ..fields import EARLIEST, EPOCH, GRACE, PERIOD, Identifier, Money, objects, until
from ..features.history import EVENT
from ..features.windows import MILLISECONDS_A_DAY, kept
from .features import (
    FEATURES,
    LEVEL,
    LOOKBACK_DAYS,
    PLANS,
    PRODUCT,
    SOLD,
    WEEK_DAYS,
    feature_columns,
)

UNITS_LIMIT = 1e6
LEAST_HISTORY, MAX_HISTORY = 8, 104
"""Weeks that a forecast needs before it, and that a request may carry."""
ASSETS = "assets.json"
OUTPUTS = ("value", "low", "high")
"""In units a week; the graph has them before, and the answer after the bounds were corrected."""


AHEAD = timedelta(days=366)
AHEAD_PERIOD = f"must lie between {EARLIEST:%Y-%m-%d} and a year from today"


def _monday(day: date) -> date:
    if day.weekday():
        raise ValueError("must be a Monday, the first day of the week")
    until(AHEAD, AHEAD_PERIOD)(datetime.combine(day, time(), UTC))
    return day


def _begun(day: date) -> date:
    until(GRACE, PERIOD)(datetime.combine(day, time(), UTC))
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

    week: Annotated[Week, AfterValidator(_begun)]
    units: float = Field(ge=0, lt=UNITS_LIMIT, allow_inf_nan=False)
    sales: Money
    discount: Money = 0


class SoldWeek(PastWeek):
    """A week of a product that is over, for the server to remember."""

    product_id: Identifier


class DemandRequest(Frozen):
    """A product, and the plan of the week to forecast."""

    product_id: Identifier
    history: list[PastWeek] | None = Field(
        default=None,
        min_length=LEAST_HISTORY,
        max_length=MAX_HISTORY,
        description="recent weeks, the oldest first; none: those the server knows",
    )
    plan: Plan

    @model_validator(mode="after")
    def _weeks_follow_one_another(self) -> Self:
        if self.history is None:
            return self
        weeks = [*(past.week for past in self.history), self.plan.week]
        for index, (week, after) in enumerate(pairwise(weeks), 1):
            if after - week != timedelta(days=WEEK_DAYS):
                here = f"history[{index}]" if index < len(self.history) else "plan"
                raise ValueError(f"{here}.week must be the Monday after history[{index - 1}].week")
        return self


class DemandResponse(TypedDict):
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


def week_rows(products: Sequence[str], weeks: Sequence[Plan]) -> Columns:
    """Turn weeks of products into rows of the weekly table; what is not sold yet is 0."""
    days = [(week.week - EPOCH.date()).days for week in weeks]
    columns = {
        name: np.array([float(getattr(week, name, 0)) for week in weeks])
        for name in (*SOLD, *PLANS)
    }
    timestamp = np.array(days, np.int64) * MILLISECONDS_A_DAY
    return {"timestamp": timestamp, PRODUCT: np.array(products, object), **columns}


def event_rows(events: Sequence[SoldWeek]) -> Columns:
    """Turn weeks that are over into rows; a week of a product is there once."""
    names = np.array([f"{event.product_id} {event.week}" for event in events], object)
    return {**week_rows([event.product_id for event in events], events), EVENT: names}


def request_rows(requests: Sequence[DemandRequest]) -> Columns:
    """Give the rows of the weeks to forecast; what will be sold is not known, so none is kept."""
    products, plans = [r.product_id for r in requests], [r.plan for r in requests]
    return {**week_rows(products, plans), EVENT: np.full(len(requests), "", object)}


def carried(request: DemandRequest) -> Past | None:
    """Give the weeks that a request carries."""
    if request.history is None:
        return None
    rows = week_rows([request.product_id] * len(request.history), request.history)
    return {PRODUCT: {name: rows[name] for name in ("timestamp", *MEMORY.entities[PRODUCT])}}


def lacks(request: DemandRequest, past: Past) -> str:
    """Demand the weeks right before the one to forecast, one after the other."""
    week = (request.plan.week - EPOCH.date()).days * MILLISECONDS_A_DAY
    ago = np.arange(LEAST_HISTORY, 0, -1) * WEEK_DAYS * MILLISECONDS_A_DAY
    if np.array_equal(past[PRODUCT]["timestamp"][-LEAST_HISTORY:], week - ago):
        return ""
    return f"needs the {LEAST_HISTORY} weeks before the plan's; send them to /v1/events"


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


def respond(predictions: Columns, _: DemandAssets) -> list[str]:
    """Write one response a row, as JSON."""
    return objects({name: predictions[name] for name in OUTPUTS})


def signals(columns: Columns, predictions: Columns) -> Columns:
    """Watch the product's level, the forecast over it, and the width of the interval over it."""
    level = columns[LEVEL] + 1
    return {
        "level": columns[LEVEL],
        "ratio": (predictions["value"] + 1) / level,
        "width": (predictions["high"] - predictions["low"]) / level,
    }


MEMORY = Memory(
    entities=kept(FEATURES),
    days=LOOKBACK_DAYS,
    subject=PRODUCT,
    event=SoldWeek,
    rows=event_rows,
)
API = Api(
    name="demand",
    request=DemandRequest,
    response=DemandResponse,
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
