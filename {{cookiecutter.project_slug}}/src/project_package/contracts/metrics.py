"""Metrics of clause types, the answer without a model, and slices."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from ..binary_metrics import calibration_error
from ..columns import Columns, weighted_mean
from ..contract.training import Metric, Weights

Values: TypeAlias = NDArray[Any]
PERIODS = 5  # parts of the test, whose scores give the spread
SMALLEST = 50  # clauses of a slice, at least


def macro_f1(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Compute the mean of the F1 scores of the types that the rows have."""
    right = rows["type"].astype(str)
    counted = right if weights is None else right[weights > 0]
    return float(
        f1_score(
            right,
            predictions["type"].astype(str),
            labels=np.unique(counted),
            average="macro",
            sample_weight=weights,
            zero_division=0,
        )
    )


def is_wrong(rows: Columns, predictions: Columns) -> NDArray[np.bool_]:
    """Return whether each type is wrong, (rows,)."""
    wrong: NDArray[np.bool_] = rows["type"] != predictions["type"]
    return wrong


def errors(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Compute the share of accepted answers that are wrong; 0 if none is accepted."""
    accepted = predictions["accepted"] * (1.0 if weights is None else weights)
    return weighted_mean(is_wrong(rows, predictions), accepted) if accepted.any() else 0.0


METRICS = (
    Metric(
        "macro_f1",
        "Macro F1",
        macro_f1,
        meaning="Harmonic mean of precision and recall of a type, mean over the types.",
    ),
    Metric(
        "accuracy",
        "Accuracy",
        lambda r, p, w: 1 - weighted_mean(is_wrong(r, p), w),
        meaning="Share of clauses whose type is right.",
    ),
    Metric(
        "coverage",
        "Coverage",
        lambda _, p, w: weighted_mean(p["accepted"], w),
        meaning="Share of clauses that nobody has to read.",
    ),
    Metric(
        "errors",
        "Errors of these",
        errors,
        higher_is_better=False,
        meaning="Share of the clauses that nobody reads whose type is wrong: decide.error_rate.",
    ),
    Metric(
        "calibration",
        "Calibration error",
        lambda r, p, w: calibration_error(~is_wrong(r, p), p["confidence"], w),
        higher_is_better=False,
        meaning="Distance of confidence from the share of answers that are right.",
    ),
)


def naive(rows: Columns) -> Columns:
    """Predict the most frequent type for every clause, with its share as the confidence."""
    types, counts = np.unique(rows["type"].astype(str), return_counts=True)
    count = len(rows["type"])
    shares = counts / count
    best = int(shares.argmax())
    return {
        "probabilities": np.tile(shares.astype(np.float32), (count, 1)),
        "type": np.full(count, types[best], object),
        "confidence": np.full(count, shares[best], np.float32),
        "accepted": np.zeros(count, np.bool_),
    }


def periods(rows: Columns) -> Values:
    """Return each clause's part of the test; those of an owner stay together."""
    _, owner, counts = np.unique(rows["owner"].astype(str), return_inverse=True, return_counts=True)
    part = np.empty(len(counts), np.int64)
    sizes = np.zeros(min(PERIODS, len(counts)))
    for index in np.argsort(-counts, kind="stable"):  # the largest first, into the smallest part
        part[index] = sizes.argmin()
        sizes[part[index]] += counts[index]
    test_parts: Values = part[owner]
    return test_parts


def slices(rows: Columns) -> Mapping[str, Values]:
    """Slice by the number of words, and by how many clauses the owner has."""
    words = np.array([len(text.split()) for text in rows["text"]])
    low, high = np.quantile(words, [1 / 3, 2 / 3])
    _, owner, counts = np.unique(rows["owner"].astype(str), return_inverse=True, return_counts=True)
    masks = {
        "short clauses": words < low,
        "long clauses": words >= high,
        "rare owners": counts[owner] <= 2,
    }
    return {name: mask for name, mask in masks.items() if mask.sum() >= SMALLEST}
