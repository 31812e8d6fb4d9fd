"""Declare the features of households and compute them, with one function for table and server.

A row is a basket, or the moment at which a household is looked at: such a row has no sales and
`is_now` is 1. The features of a moment are windows over the baskets of the half year before it. The
models see positions: logarithms of amounts and roots of shares, so that ratios count and a few
large households do not dominate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, stack
from ..features.look_back import entities
from ..features.windows import (
    EVERY_ROW,
    Aggregate,
    Derived,
    Feature,
    Positions,
    Window,
    stream,
)

HOUSEHOLD = "household_id"
DAYS = 182
"""The half year: how far back features look."""
MIN_BASKETS = 4
"""A household with fewer in that time has no segment: its shares would be chance."""
KINDS = ("fresh", "drugstore")
"""Kinds of goods; the rest is mostly dry goods."""
SPENT = ("sales", "discount", "store_brand", *KINDS)
"""The amounts of a basket, in money."""
TRAITS = ("age", "income", "household_size", "children")
"""What is known about some households. Models never see it: it serves as an outside check."""


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[Any]:
    """Divide; return 0 where the whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def _past(name: str, meaning: str, aggregate: Aggregate, value: str) -> Window:
    """Declare a window over the household's half year."""
    return Window(name, meaning, HOUSEHOLD, aggregate, DAYS, 0, value)


def _share(name: str, meaning: str) -> tuple[Feature, ...]:
    """Declare what was spent on something, and its share of the spending."""
    return (
        _past(f"{name}_sum", f"spent on {meaning}", "sum", name),
        Derived(f"{name}_share", f"share of {meaning}", ratio, (f"{name}_sum", "spending")),
    )


FEATURES: tuple[Feature, ...] = (
    Derived("is_basket", "the row is a basket", np.logical_not, ("is_now",)),
    _past("recency", "days since the last basket", "days_since_false", "is_now"),
    _past("baskets", "baskets", "sum", "is_basket"),
    _past("spending", "spending", "sum", "sales"),
    Derived("basket_size", "spending per basket", ratio, ("spending", "baskets")),
    _past("discount_sum", "discounts", "sum", "discount"),
    Derived("shelf_price", "spending before discounts", np.add, ("spending", "discount_sum")),
    Derived("discount_share", "share of discounts", ratio, ("discount_sum", "shelf_price")),
    *_share("store_brand", "store brands"),
    *_share("fresh", "fruit, vegetables, meat and fish"),
    *_share("drugstore", "drugstore goods"),
)
ENTITIES = tuple(replace(entity, columns=SPENT) for entity in entities(FEATURES))
"""Stored baskets have no `is_now`: merging with a request's row sets it to 0."""

LOGARITHMS = ("recency", "baskets", "spending", "basket_size")
ROOTS = ("discount_share", "store_brand_share", *(f"{kind}_share" for kind in KINDS))
INPUTS: tuple[str, ...] = (*LOGARITHMS, *ROOTS)
"""The features that models take, in their order."""
DESCRIPTIONS: Mapping[str, str] = {f.name: f.description for f in FEATURES if f.name in INPUTS}


def feature_columns(rows: Columns, at: Positions = EVERY_ROW) -> dict[str, NDArray[np.float64]]:
    """Compute the features of households: float64, (rows at positions,) each.

    `rows` are baskets and moments, in order of time: timestamp (int64, milliseconds UTC),
    household_id (an integer code each), is_now (1.0 for a moment, 0.0 for a basket) and the amounts
    of `SPENT` (0 at a moment). With the household's baskets of the half year before it, a moment
    gets the same features as in the whole table, to the last bit; those of baskets mean nothing.
    Recency is in days, spending in money.
    """
    return {name: values for name, values in stream(FEATURES, rows, at) if name in INPUTS}


def to_positions(columns: Columns, names: Sequence[str] = INPUTS) -> NDArray[np.float64]:
    """Return the positions of households by their features: (rows, names)."""
    values: NDArray[np.float64] = stack(columns, names, np.float64)
    for index, name in enumerate(names):
        values[:, index] = (np.log1p if name in LOGARITHMS else np.sqrt)(values[:, index])
    return values
