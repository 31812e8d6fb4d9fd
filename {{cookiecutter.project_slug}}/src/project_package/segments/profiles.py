"""Describe segments, in numbers and by a name, from the households that a model was fitted on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from .features import INPUTS
from .metrics import standard
from .task import Profile, Profiles

DISTINCTIVE = 3
"""How many features a response shows."""
NOTABLE = 0.25
"""Standard deviations from the mean of all, from which a feature may name a segment."""
WORDS: Mapping[str, tuple[str, str]] = {
    "recency": ("recent", "long absent"),
    "baskets": ("few baskets", "many baskets"),
    "spending": ("low spending", "high spending"),
    "basket_size": ("small baskets", "large baskets"),
    "discount_share": ("few promotions", "many promotions"),
    "store_brand_share": ("few store brands", "many store brands"),
    "fresh_share": ("little fresh food", "much fresh food"),
    "drugstore_share": ("few drugstore goods", "many drugstore goods"),
}
"""Words for a segment far below the mean, and for one far above."""


def describe(rows: Columns, segment: NDArray[Any], count: int) -> Profiles:
    """Return the profiles of `count` segments, from the segment of each row: (rows,)."""
    away = deviations(rows, segment, count)
    shares = np.bincount(segment, minlength=count) / len(segment)
    segments = tuple(
        Profile(
            name=name,
            share=float(shares[number]),
            medians=medians(rows, segment == number),
            distinctive=tuple(INPUTS[i] for i in largest(away[number])[:DISTINCTIVE]),
        )
        for number, name in enumerate(names(away))
    )
    return Profiles(medians=medians(rows, segment >= 0), segments=segments)


def deviations(rows: Columns, segment: NDArray[Any], count: int) -> NDArray[Any]:
    """Return the mean of each segment in standard deviations from that of all (0 if empty)."""
    sums = (segment == np.arange(count)[:, None]) @ standard(rows)
    return np.asarray(sums / np.maximum(np.bincount(segment, minlength=count), 1)[:, None])


def medians(rows: Columns, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Return the median of each feature over the rows of a mask; over all if it is empty."""
    chosen = mask if mask.any() else ~mask
    return {name: float(np.median(rows[name][chosen])) for name in INPUTS}


def largest(away: NDArray[Any]) -> NDArray[Any]:
    """Return the indices of a segment's features, the farthest from the mean first."""
    return np.argsort(-np.abs(away), kind="stable")


def names(away: NDArray[Any]) -> list[str]:
    """Name segments after their two most distinctive features; add more, or numbers, to equals."""
    labels = [name_of(line, 2) for line in away]
    for words in range(3, len(INPUTS) + 1):
        labels = [
            name_of(line, words) if labels.count(name) > 1 else name
            for line, name in zip(away, labels, strict=True)
        ]
    return [f"{name} ({n})" if labels.count(name) > 1 else name for n, name in enumerate(labels)]


def name_of(away: NDArray[Any], words: int) -> str:
    """Name a segment after its most distinctive features, if they are notable, or as average."""
    notable = [i for i in largest(away)[:words] if abs(away[i]) >= NOTABLE]
    said = [WORDS[INPUTS[i]][int(away[i] > 0)] for i in notable]
    return ", ".join(said).capitalize() or "Average"
