"""What a segment is like, in numbers and in a name: from the households that it was made of."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Files, Outcome
from .task import Profile, SegmentsAssets, write_assets
from .metrics import standard
from .features import INPUTS

Numbers = NDArray[Any]

TELLING = 3
"""Features that an answer shows."""
NOTABLE = 0.25
"""Standard deviations from the mean of all, from which on a feature may name a segment."""
WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "recency": ("here lately", "long away"),
        "baskets": ("few baskets", "many baskets"),
        "spending": ("low spending", "high spending"),
        "basket_size": ("small baskets", "large baskets"),
        "discount_share": ("few promotions", "many promotions"),
        "store_brand_share": ("few store brands", "many store brands"),
        "fresh_share": ("little fresh food", "much fresh food"),
        "drugstore_share": ("few drugstore goods", "many drugstore goods"),
    }
)
"""What a segment far below the mean is called, and one far above."""


def assets(fitted: Outcome) -> Files:
    """Describe every segment by the households that the model was fitted on."""
    rows, segment = fitted.rows, fitted.outputs["segment"]
    count = fitted.outputs["distances"].shape[1]
    away = deviations(rows, segment, count)
    shares = np.bincount(segment, minlength=count) / len(segment)
    names = name_all(away)
    profiles = tuple(
        Profile(
            name=names[number],
            share=float(shares[number]),
            medians=medians(rows, segment == number),
            telling=telling(away[number]),
        )
        for number in range(count)
    )
    everyone = medians(rows, np.ones(len(segment), np.bool_))
    return write_assets(SegmentsAssets(medians=everyone, profiles=profiles))


def deviations(rows: Columns, segment: Numbers, count: int) -> Numbers:
    """Give how far each segment's mean is from that of all, in standard deviations.

    Shape (segments, features); 0 for a segment of nobody.
    """
    placed = standard(rows)
    return np.array(
        [
            placed[segment == number].mean(axis=0) if np.any(segment == number) else 0 * placed[0]
            for number in range(count)
        ]
    )


def medians(rows: Columns, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Give the median of each feature among some households; of all, where there are none."""
    mine = mask if mask.any() else ~mask
    return {name: float(np.median(rows[name][mine])) for name in INPUTS}


def telling(away: Numbers) -> tuple[str, ...]:
    """Give the features that set a segment apart most, the first of them first."""
    return tuple(INPUTS[place] for place in np.argsort(-np.abs(away), kind="stable")[:TELLING])


def name_all(away: Numbers) -> list[str]:
    """Name each segment after its two most telling features, or more where two names are equal.

    A segment that is nowhere far from the mean is called average. Names that stay equal, such as
    those of segments of nobody, get the segment's number.
    """
    names = [name(line, 2) for line in away]
    for words in range(3, len(INPUTS) + 1):
        names = [
            name(line, words) if names.count(said) > 1 else said
            for line, said in zip(away, names, strict=True)
        ]
    return [f"{said} ({n})" if names.count(said) > 1 else said for n, said in enumerate(names)]


def name(away: Numbers, words: int) -> str:
    """Give the words for the most telling features that are notable."""
    order: Sequence[int] = np.argsort(-np.abs(away), kind="stable")[:words].tolist()
    said = [WORDS[INPUTS[place]][int(away[place] > 0)] for place in order if notable(away[place])]
    return ", ".join(said).capitalize() or "Average"


def notable(away: float) -> bool:
    """Tell a deviation that is worth a word."""
    return abs(away) >= NOTABLE
