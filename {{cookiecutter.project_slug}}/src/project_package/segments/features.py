"""The declaration of the features of households: what they mean, and what computes them.

A row is a basket, or the moment at which a household is looked at: such a row has no sales and is
marked by `is_now`. What a household did is told by windows over its baskets of the last half year,
which end at that moment. The model sees positions: logarithms of amounts and roots of shares, so
that ratios count, and a few large households do not stretch the whole map.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import ALL, At, Columns
from ..features.windows import Aggregate, Derived, Feature, Window, lookback, stream

Values: TypeAlias = NDArray[Any]

HOUSEHOLD = "household_id"
DAYS = 182
"""How far back a household is looked at."""
LEAST_BASKETS = 4
"""A household with fewer in that time has no segment: shares of so little are chance."""
KINDS = ("fresh", "drugstore")
"""Of what was bought; what is none of these, most of it dry goods, is the rest."""
SPENT = ("sales", "discount", "store_brand", *KINDS)
"""What a basket tells, in money."""
TRAITS = ("age", "income", "household_size", "children")
"""What is known about some households. The model never sees it: it serves as a check."""


def is_basket(is_now: Values) -> Values:
    """Tell baskets from the moment at which a household is looked at."""
    return 1.0 - is_now


def ratio(part: Values, whole: Values) -> Values:
    """Divide; 0 where there is nothing to divide by."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def _past(name: str, meaning: str, aggregate: Aggregate, value: str) -> Window:
    """Declare a window over the household's half year."""
    return Window(name, meaning, HOUSEHOLD, aggregate, DAYS, 0, value)


def _share(name: str, meaning: str, whole: str) -> tuple[Feature, ...]:
    """Declare what was spent on something, and its share."""
    return (
        _past(f"{name}_sum", f"spent on {meaning}", "sum", name),
        Derived(f"{name}_share", meaning, ratio, (f"{name}_sum", whole)),
    )


FEATURES: tuple[Feature, ...] = (
    Derived("is_basket", "the row is a basket", is_basket, ("is_now",)),
    _past("recency", "days since the last basket", "days_since_false", "is_now"),
    _past("baskets", "baskets", "sum", "is_basket"),
    _past("spending", "spending", "sum", "sales"),
    Derived("basket_size", "spending a basket", ratio, ("spending", "baskets")),
    _past("discount_sum", "discounts", "sum", "discount"),
    Derived("shelf_price", "spending before discounts", np.add, ("spending", "discount_sum")),
    Derived(
        "discount_share", "share let off by promotions", ratio, ("discount_sum", "shelf_price")
    ),
    *_share("store_brand", "share of store brands", "spending"),
    *_share("fresh", "share of fruit, vegetables, meat and fish", "spending"),
    *_share("drugstore", "share of drugstore goods", "spending"),
)
LOOKBACK_DAYS = MappingProxyType(lookback(FEATURES))
"""How many days of a household's baskets its features depend on."""

LOGARITHMS = ("recency", "baskets", "spending", "basket_size")
ROOTS = ("discount_share", "store_brand_share", *(f"{kind}_share" for kind in KINDS))
INPUTS: tuple[str, ...] = (*LOGARITHMS, *ROOTS)
"""What the model takes, in its order."""
DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {feature.name: feature.description for feature in FEATURES if feature.name in INPUTS}
)


def feature_columns(
    rows: Columns, at: At = ALL, features: Sequence[Feature] = FEATURES
) -> dict[str, NDArray[np.float64]]:
    """Compute the features of a household at rows: float64, one of each per row.

    `rows` are baskets and moments, in order of time: timestamp (int64, milliseconds UTC),
    household_id (one integer code each), is_now (1.0 for a moment, 0.0 for a basket) and the money
    in `SPENT` (0 at a moment). With `LOOKBACK_DAYS` of a household's baskets before it, the result
    of a moment is that of the whole table to the bit; at baskets it means nothing. Recency is in
    days, spending in money.

    Raises ValueError when the rows are not in order of time.
    """
    return {name: values for name, values in stream(features, rows, at) if name in INPUTS}


def positions(columns: Columns) -> NDArray[np.float64]:
    """Place households by their features: shape (rows, features), in the order of `INPUTS`."""
    placed = [np.log1p(columns[name]) for name in LOGARITHMS]
    placed += [np.sqrt(columns[name]) for name in ROOTS]
    return np.column_stack(placed).astype(np.float64, copy=False)
