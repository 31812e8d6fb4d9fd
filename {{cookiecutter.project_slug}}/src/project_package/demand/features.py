"""The declaration of the demand features: what they mean, and the one function that computes them.

A row is a product in a week: what was sold (units, sales, discount) and what was planned for it
(shares of the product's sales that are made in stores with an advertisement or a display). What was
sold is known when the week is over, so every window over it ends a week ago; a plan is known
before. The price of the week itself is not a feature: it is known only where something was sold,
and so tells whether anything was.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import ALL, At, Columns
from ..features.windows import MILLISECONDS_A_DAY, Aggregate, Derived, Feature, Window, lookback, stream

Values: TypeAlias = NDArray[Any]

PRODUCT = "product_id"
WEEK_DAYS = 7
LEVEL = "mean_13w"
"""The mean of the last 13 weeks: the model forecasts how many times that much is sold."""
NAIVE_WEEKS = (1, 4, 8, 13)
"""Means over so many weeks are the forecasts without a model; that of one is last week's value."""
SOLD = ("units", "sales", "discount")
PLANS = ("ad_front", "ad_inside", "display_front", "display_end", "display_other")
"""Of each kind of promotion, the share of the product's sales made in stores that will have it."""
PROMOTED_FROM = 0.3
"""A week counts as promoted when the stores that promote make this share of the sales."""


def is_promoted(share: Values) -> Values:
    """Tell the weeks in which most buyers could see it."""
    return np.greater_equal(share, PROMOTED_FROM)


def is_not_promoted(share: Values) -> Values:
    """Tell the other weeks."""
    return np.less(share, PROMOTED_FROM)


def price(paid: Values, units: Values, longer: Values) -> Values:
    """Divide; the price of the longer window where nothing was sold in the shorter one."""
    return np.where(units > 0, paid / np.where(units > 0, units, 1), longer)


def average(paid: Values, units: Values) -> Values:
    """Divide; 0 where nothing was sold."""
    return price(paid, units, np.zeros_like(paid))


def discount_share(discount: Values, sales: Values) -> Values:
    """Give the share of the shelf price that buyers were spared; 0 where nothing was sold."""
    return average(discount, discount + sales)


def over_level(value: Values, level: Values) -> Values:
    """Compare with the product's level; one unit more on both sides keeps small numbers calm."""
    return np.asarray((value + 1) / (level + 1))


def typical(total: Values, weeks: Values, level: Values) -> Values:
    """Give the mean of such weeks over the level, drawn towards 1 while there are few of them."""
    return np.asarray((total + level + 1) / ((weeks + 1) * (level + 1)))


def expected(planned: Values, with_it: Values, without: Values) -> Values:
    """Pick what is typical of weeks like the one to come."""
    return np.where(planned, with_it, without)


def deviation(mean_square: Values, mean: Values) -> Values:
    """Give the standard deviation from the mean of squares and the mean."""
    variance: Values = np.maximum(mean_square - mean * mean, 0)
    return np.asarray(np.sqrt(variance))


def first_days(timestamp: Values) -> Values:
    """Count the days of the week from `timestamp` on that are among the first seven of a month."""
    days = (timestamp // MILLISECONDS_A_DAY)[:, None] + np.arange(WEEK_DAYS)
    dates = days.astype("datetime64[D]")
    of_month = (dates - dates.astype("datetime64[M]")).astype(np.int64)
    return np.asarray((of_month < WEEK_DAYS).sum(axis=1))


def _past(name: str, meaning: str, aggregate: Aggregate, weeks: int, value: str) -> Window:
    """Declare a window over the weeks that are over."""
    words = f"{meaning}, last {weeks} weeks" if weeks > 1 else f"{meaning}, last week"
    return Window(name, words, PRODUCT, aggregate, WEEK_DAYS * weeks, WEEK_DAYS, value)


def _relative(name: str) -> Feature:
    """Declare a number of units over the level."""
    meaning = f"{name.replace('_', ' ')}, over the mean of 13 weeks"
    return Derived(f"{name}_ratio", meaning, over_level, (name, LEVEL))


def _promotion(plan: str, words: str) -> tuple[Feature, ...]:
    """Declare what the product sold with and without a kind of promotion, and the coming plan."""
    on, off = f"is_{plan}", f"is_not_{plan}"
    return (
        Derived(on, f"the week has {words}", is_promoted, (plan,)),
        Derived(off, f"the week has no {words}", is_not_promoted, (plan,)),
        Derived(f"units_{on}", f"units in weeks with {words}", np.multiply, ("units", on)),
        Derived(f"units_{off}", f"units in weeks without {words}", np.multiply, ("units", off)),
        _past(f"weeks_{on}", f"weeks with {words}", "sum", 26, on),
        _past(f"weeks_{off}", f"weeks without {words}", "sum", 13, off),
        _past(f"sum_{on}", f"units in weeks with {words}", "sum", 26, f"units_{on}"),
        _past(f"sum_{off}", f"units in weeks without {words}", "sum", 13, f"units_{off}"),
        Derived(
            f"with_{plan}",
            f"mean of the weeks with {words}, over the level",
            typical,
            (f"sum_{on}", f"weeks_{on}", LEVEL),
        ),
        Derived(
            f"without_{plan}",
            f"mean of the weeks without {words}, over the level",
            typical,
            (f"sum_{off}", f"weeks_{off}", LEVEL),
        ),
        Derived(
            f"expected_{plan}",
            f"what is typical with (or without) the planned {words}, over the level",
            expected,
            (on, f"with_{plan}", f"without_{plan}"),
        ),
        _past(f"{plan}_1w", f"share of sales with {words}", "mean", 1, plan),
        _past(f"{plan}_4w", f"share of sales with {words}", "mean", 4, plan),
    )


LEVELS: tuple[Feature, ...] = (
    *(_past(f"mean_{n}w", "mean of units", "mean", n, "units") for n in NAIVE_WEEKS),
    Window("lag_2w", "units of the week before last", PRODUCT, "sum", 7, 14, "units"),
    *(_relative(name) for name in ("mean_1w", "mean_4w", "mean_8w", "lag_2w")),
    Derived("units_squared", "units times units", np.multiply, ("units", "units")),
    _past("mean_square_13w", "mean of squared units", "mean", 13, "units_squared"),
    Derived(
        "deviation_13w",
        "standard deviation of units, last 13 weeks",
        deviation,
        ("mean_square_13w", LEVEL),
    ),
)

PRICES: tuple[Feature, ...] = (
    *(
        _past(f"{value}_{n}w", value, "sum", n, value)
        for n in (1, 13)
        for value in ("units", "sales", "discount")
    ),
    Derived("price_13w", "mean price, last 13 weeks", average, ("sales_13w", "units_13w")),
    Derived(
        "price_1w",
        "price of last week, or of 13 weeks when nothing was sold",
        price,
        ("sales_1w", "units_1w", "price_13w"),
    ),
    Derived(
        "price_ratio", "last price over that of 13 weeks", over_level, ("price_1w", "price_13w")
    ),
    Derived(
        "discount_share_1w", "discount of last week", discount_share, ("discount_1w", "sales_1w")
    ),
    Derived(
        "discount_share_13w",
        "discount of the last 13 weeks",
        discount_share,
        ("discount_13w", "sales_13w"),
    ),
)

PROMOTIONS: tuple[Feature, ...] = (
    Derived("ad", "share of sales with an advertisement", np.add, ("ad_front", "ad_inside")),
    Derived("display_far", "displays not at the front", np.add, ("display_end", "display_other")),
    Derived("display", "share of sales with a display", np.add, ("display_front", "display_far")),
    *_promotion("ad", "an advertisement"),
    *_promotion("ad_front", "an advertisement on a cover page"),
    *_promotion("display", "a display"),
)

CALENDAR: tuple[Feature, ...] = (
    Derived(
        "first_days", "days of the week in the first week of a month", first_days, ("timestamp",)
    ),
)

FEATURES = (*LEVELS, *PRICES, *PROMOTIONS, *CALENDAR)
LOOKBACK_DAYS = MappingProxyType(lookback(FEATURES))
"""How many days of a product's history its features depend on."""

_KINDS = ("ad", "ad_front", "display")
INPUTS: tuple[str, ...] = (
    *(LEVEL, "mean_1w_ratio", "mean_4w_ratio", "mean_8w_ratio", "lag_2w_ratio"),
    *("price_1w", "price_ratio", "discount_share_1w", "discount_share_13w"),
    *(*PLANS, "ad", "display"),
    *(f"{view}_{kind}" for kind in _KINDS for view in ("with", "without", "expected")),
    *(f"{kind}_{span}" for kind in _KINDS for span in ("1w", "4w")),
    *(f"weeks_is_{kind}" for kind in _KINDS),
    "first_days",
)
"""What the model takes, in its order."""
KEPT = (*(f"mean_{weeks}w" for weeks in NAIVE_WEEKS), "deviation_13w")
"""What forecasts without a model take."""

DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {plan: f"planned: {plan.replace('_', ' ')}" for plan in PLANS}
    | {feature.name: feature.description for feature in FEATURES}
)


def feature_columns(
    rows: Columns, at: At = ALL, features: Sequence[Feature] = FEATURES
) -> dict[str, NDArray[np.float32]]:
    """Compute the inputs of the model and what is kept beside, float32, one of each per row.

    `rows` are products in weeks, in order of time: timestamp (int64, milliseconds UTC of the
    Monday), product_id (one integer code each), units, sales and discount of the week (any numbers
    where they are not known yet: they are read a week later at the earliest) and the plans of the
    week. With `LOOKBACK_DAYS` of a product's weeks before it, the result of a row is that of the
    whole table to the bit.

    Raises ValueError when the rows are not in order of time.
    """
    wanted = {*INPUTS, *KEPT}
    columns = {name: rows[name][at].astype(np.float32) for name in PLANS}
    for name, values in stream(features, rows, at):
        if name in wanted:
            columns[name] = values.astype(np.float32)
    return columns
