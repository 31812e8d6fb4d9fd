"""Scores of probabilities for two classes: how well they rank, and how true they are.

Labels are True or 1 for positive rows, scores are higher for those that are more likely so, and
weights say how much each row counts (None: all 1). All have shape (rows,).
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

Values: TypeAlias = NDArray[Any]


def counted(labels: Values, weights: Values | None = None) -> Values:
    """Return the labels that have a weight."""
    return labels if weights is None else labels[weights > 0]


def roc_auc(labels: Values, scores: Values, weights: Values | None = None) -> float:
    """Compute the area under the ROC curve; NaN when a class has no weight."""
    if len(np.unique(counted(labels, weights))) < 2:
        return np.nan
    return float(roc_auc_score(labels, scores, sample_weight=weights))


def average_precision(labels: Values, scores: Values, weights: Values | None = None) -> float:
    """Compute average precision; NaN when no positive row has a weight."""
    if not counted(labels, weights).any():
        return np.nan
    return float(average_precision_score(labels, scores, sample_weight=weights))


def calibration_error(
    labels: Values, chances: Values, weights: Values | None = None, bins: int = 10
) -> float:
    """Compute the expected calibration error of probabilities (Naeini et al. 2015).

    Bins have equal numbers of rows, whatever the weights are, which count in the sums. Rows of one
    probability have the mean of their labels, so that their order does not matter.
    """
    counts = np.ones(len(labels)) if weights is None else weights
    code = np.unique(chances, return_inverse=True)[1]
    gaps = np.bincount(code, counts * (chances.astype(np.float64) - labels))
    means = (gaps / np.maximum(np.bincount(code, counts), 1e-9))[code]
    parts = np.array_split(np.argsort(code, kind="stable"), bins)
    error = sum(abs(float(np.sum(counts[part] * means[part]))) for part in parts)
    return error / float(counts.sum()) if counts.any() else np.nan
