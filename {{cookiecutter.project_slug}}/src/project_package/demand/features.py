"""Declare the demand features and compute them, with one function for table and server.

A row is one product in one week: what was sold (units, sales, discount), and what was planned, as
shares of the product's sales made in stores with an advertisement or a display. Sales are known
when the week is over, so every window over them ends a week ago; a plan is known before. The price
of the week itself is no feature: it exists only where something was sold, and so reveals the sales.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..features.look_back import entities
from ..features.windows import (
    EVERY_ROW,
    MILLISECONDS_A_DAY,
    Aggregate,
    Derived,
    Feature,
    Positions,
    Window,
    stream,
)

PRODUCT = "product_id"
WEEK_DAYS = 7
LEVEL = "mean_13w"
"""The mean of the last 13 weeks: models predict the ratio of units to it."""
NAIVE_WEEKS = (1, 4, 8, 13)
"""Weeks over which the naive forecasts are means; that of one week is its value."""
PLANS = {
    "ad_front": "an advertisement on a cover page",
    "ad_inside": "an advertisement on another page",
    "display_front": "a display at the front of the store",
    "display_end": "a display at the end of an aisle",
    "display_other": "a display elsewhere",
}
"""For each kind of promotion, the share of the product's sales made in stores that will have it."""
_PLANNED = "planned share of sales with"
_BY_LEVEL = "over the mean of 13 weeks"
PROMOTED_FROM = 0.3
"""A week counts as promoted when the stores that promote make this share of the sales."""


def is_promoted(share: NDArray[Any]) -> NDArray[Any]:
    """Return the weeks in which most buyers could see the promotion."""
    return np.asarray(np.greater_equal(share, PROMOTED_FROM))


def price(
    paid: NDArray[Any], units: NDArray[Any], otherwise: NDArray[Any] | float = 0.0
) -> NDArray[Any]:
    """Return the price of a unit; `otherwise` where nothing was sold."""
    return np.where(units > 0, paid / np.where(units > 0, units, 1), otherwise)


def discount_share(discount: NDArray[Any], sales: NDArray[Any]) -> NDArray[Any]:
    """Return the discount as a share of the shelf price; 0 where nothing was sold."""
    return price(discount, discount + sales)


def over_level(value: NDArray[Any], level: NDArray[Any]) -> NDArray[Any]:
    """Return the ratio to the level; adding one to both keeps ratios of small numbers moderate."""
    return np.asarray((value + 1) / (level + 1))


def typical(total: NDArray[Any], weeks: NDArray[Any], level: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of such weeks over the level, shrunk towards 1 while they are few."""
    return np.asarray((total + level + 1) / ((weeks + 1) * (level + 1)))


def deviation(mean_square: NDArray[Any], mean: NDArray[Any]) -> NDArray[Any]:
    """Return the standard deviation, from the mean of squares and the mean."""
    return np.asarray(np.sqrt(np.maximum(mean_square - mean * mean, 0)))


def first_days(timestamp: NDArray[Any]) -> NDArray[Any]:
    """Count the days of the week from `timestamp` that are among the first seven of a month."""
    days = (timestamp // MILLISECONDS_A_DAY)[:, None] + np.arange(WEEK_DAYS)
    dates = days.astype("datetime64[D]")
    of_month = (dates - dates.astype("datetime64[M]")).astype(np.int64)
    return np.asarray((of_month < WEEK_DAYS).sum(axis=1))


def _past(name: str, meaning: str, aggregate: Aggregate, weeks: int, value: str) -> Window:
    """Declare a window over the weeks that are over."""
    meaning = f"{meaning}, last {weeks} weeks" if weeks > 1 else f"{meaning}, last week"
    return Window(name, meaning, PRODUCT, aggregate, WEEK_DAYS * weeks, WEEK_DAYS, value)


def _typical(name: str, meaning: str, flag: Derived, weeks: int) -> tuple[Feature, ...]:
    """Declare the ratio to the level that is typical of weeks with (or without) a promotion."""
    units = f"units_{name}"
    count = f"weeks_{name}"
    total = f"sum_{name}"
    return (
        flag,
        Derived(units, f"units in weeks {meaning}", np.multiply, ("units", flag.name)),
        _past(count, f"weeks {meaning}", "sum", weeks, flag.name),
        _past(total, f"units in weeks {meaning}", "sum", weeks, units),
        Derived(name, f"units in weeks {meaning}, {_BY_LEVEL}", typical, (total, count, LEVEL)),
    )


def _promotion(plan: str, what: str) -> tuple[Feature, ...]:
    """Declare what the product sold with and without a kind of promotion, and the coming plan."""
    on = Derived(f"is_{plan}", f"the week has {what}", is_promoted, (plan,))
    off = Derived(f"is_not_{plan}", f"the week has no {what}", np.logical_not, (on.name,))
    both = (on.name, f"with_{plan}", f"without_{plan}")
    expected = f"units in weeks with {what} if one is planned, else without, {_BY_LEVEL}"
    return (
        *_typical(f"with_{plan}", f"with {what}", on, 26),
        *_typical(f"without_{plan}", f"without {what}", off, 13),
        Derived(f"expected_{plan}", expected, np.where, both),
        _past(f"{plan}_1w", f"share of sales with {what}", "mean", 1, plan),
        _past(f"{plan}_4w", f"share of sales with {what}", "mean", 4, plan),
    )


LEVELS: tuple[Feature, ...] = (
    *(_past(f"mean_{n}w", "mean of units", "mean", n, "units") for n in NAIVE_WEEKS),
    Window("lag_2w", "units of the week before last", PRODUCT, "sum", 7, 14, "units"),
    *(
        Derived(f"{name}_ratio", f"{meaning}, {_BY_LEVEL}", over_level, (name, LEVEL))
        for name, meaning in (
            ("mean_1w", "units of last week"),
            ("mean_4w", "mean of units, last 4 weeks"),
            ("mean_8w", "mean of units, last 8 weeks"),
            ("lag_2w", "units of the week before last"),
        )
    ),
    Derived("units_squared", "units times units", np.multiply, ("units", "units")),
    _past("mean_square_13w", "mean of squared units", "mean", 13, "units_squared"),
    Derived("deviation_13w", "deviation of units", deviation, ("mean_square_13w", LEVEL)),
)
PRICES: tuple[Feature, ...] = (
    *(
        _past(f"{sold}_{n}w", sold, "sum", n, sold)
        for n in (1, 13)
        for sold in ("units", "sales", "discount")
    ),
    Derived("price_13w", "mean price, last 13 weeks", price, ("sales_13w", "units_13w")),
    Derived("price_1w", "latest price", price, ("sales_1w", "units_1w", "price_13w")),
    Derived("price_ratio", "latest over usual price", over_level, ("price_1w", "price_13w")),
    *(
        Derived(
            f"discount_share_{n}w",
            f"discount as a share of the shelf price, {weeks}",
            discount_share,
            (f"discount_{n}w", f"sales_{n}w"),
        )
        for n, weeks in ((1, "last week"), (13, "last 13 weeks"))
    ),
)
PROMOTIONS: tuple[Feature, ...] = (
    Derived("ad", f"{_PLANNED} an advertisement", np.add, ("ad_front", "ad_inside")),
    Derived("display_far", "displays not at the front", np.add, ("display_end", "display_other")),
    Derived("display", f"{_PLANNED} a display", np.add, ("display_front", "display_far")),
    *_promotion("ad", "an advertisement"),
    *_promotion("ad_front", "an advertisement on a cover page"),
    *_promotion("display", "a display"),
)
CALENDAR = Derived("first_days", "days in the first week of a month", first_days, ("timestamp",))
FEATURES: tuple[Feature, ...] = (*LEVELS, *PRICES, *PROMOTIONS, CALENDAR)
ENTITIES = entities(FEATURES)
LOOKBACK = ENTITIES[0].ttl
"""How far back in time a product's features read."""

_KINDS = ("ad", "ad_front", "display")
INPUTS: tuple[str, ...] = (
    *(LEVEL, "mean_1w_ratio", "mean_4w_ratio", "mean_8w_ratio", "lag_2w_ratio"),
    *("price_1w", "price_ratio", "discount_share_1w", "discount_share_13w"),
    *(*PLANS, "ad", "display"),
    *(f"{view}_{kind}" for kind in _KINDS for view in ("with", "without", "expected")),
    *(f"{kind}_{span}" for kind in _KINDS for span in ("1w", "4w")),
    *(f"weeks_with_{kind}" for kind in _KINDS),
    "first_days",
)
"""The features that models take, in their order."""
DESCRIPTIONS = {name: f"{_PLANNED} {what}" for name, what in PLANS.items()} | {
    feature.name: feature.description for feature in FEATURES if feature.name in INPUTS
}
"""What each of them means."""
FEATURE_GROUPS = {
    "level": (LEVEL,),
    "recent weeks": ("mean_1w_ratio", "mean_4w_ratio", "mean_8w_ratio", "lag_2w_ratio"),
    "prices": ("price_1w", "price_ratio"),
    "discounts": ("discount_share_1w", "discount_share_13w"),
    "advertisements": tuple(name for name in INPUTS if "ad" in name.split("_")),
    "displays": tuple(name for name in INPUTS if "display" in name.split("_")),
    "days of the month": ("first_days",),
}
"""Features that belong together, for `ml checklist`: each group says one thing."""
NAIVE_INPUTS = (*(f"mean_{weeks}w" for weeks in NAIVE_WEEKS), "deviation_13w")
"""The features that the naive forecasts take."""


def feature_columns(rows: Columns, at: Positions = EVERY_ROW) -> dict[str, NDArray[np.float32]]:
    """Compute the inputs of models and of naive forecasts: float32, (rows at positions,) each.

    `rows` are products in weeks, in order of time: timestamp (int64, milliseconds UTC of the
    Monday), product_id (an integer code each), units, sales and discount (any number in a week that
    is not over: no feature of that week reads them) and the plans. With `LOOKBACK` of a product's
    weeks before it, a row gets the same features as in the whole table, to the last bit.
    """
    computed = ((n, v) for n, v in stream(FEATURES, rows, at) if n in {*INPUTS, *NAIVE_INPUTS})
    columns = [*((name, rows[name][at]) for name in PLANS), *computed]
    return {name: values.astype(np.float32) for name, values in columns}
