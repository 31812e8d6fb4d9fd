"""Judge probabilities and choose the threshold of a decision: flag a row, or let it pass.

Labels are True or 1 for the rows that should be flagged, scores are higher for those that are more
likely so, and weights say how much each row counts (None: all 1). All have shape (rows,).
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
    """Compute average precision; NaN when no row that should be flagged has a weight."""
    if not counted(labels, weights).any():
        return np.nan
    return float(average_precision_score(labels, scores, sample_weight=weights))


def calibration_error(
    labels: Values, chances: Values, weights: Values | None = None, bins: int = 10
) -> float:
    """Compute the expected calibration error of probabilities (Naeini et al. 2015).

    Bins have equal numbers of rows, whatever the weights are, which count in the sums.
    """
    counts = np.ones(len(labels)) if weights is None else weights
    gaps = counts * (chances.astype(np.float64) - labels)
    parts = np.array_split(np.argsort(chances, kind="stable"), bins)
    total = float(counts.sum())
    return sum(abs(float(np.sum(gaps[part]))) for part in parts) / total if total else np.nan


def threshold_costs(scores: Values, flagged: Values, passed: Values) -> tuple[Values, Values]:
    """Return every distinct score as a threshold, highest first, and the cost of all rows with it.

    Both have shape (distinct scores,). A row whose score is at least the threshold costs `flagged`,
    any other `passed`, (rows,) each.
    """
    falling, code = np.unique(-scores.astype(np.float64), return_inverse=True)
    added = np.bincount(code, flagged - passed)
    return -falling, passed.sum() + np.cumsum(added)


def least_cost_threshold(
    scores: Values,
    flagged: Values,
    passed: Values,
    nothing: float | None = None,
    everything: float | None = None,
) -> float:
    """Return the threshold of least cost, midway between two scores: rounding changes no decision.

    `flagged` and `passed` are those of `threshold_costs`. Where it costs least to flag no row, it
    is `nothing` (None: the highest score and a half); where it costs least to flag every row, it is
    `everything` (None: the lowest score).
    """
    falling, costs = threshold_costs(scores, flagged, passed)
    best = int(np.argmin([passed.sum(), *costs]))
    if best == 0:
        return float(falling[0] + 0.5) if nothing is None else nothing
    if best == len(falling):
        return float(falling[-1]) if everything is None else everything
    return float(falling[best - 1] + falling[best]) / 2


def break_even(false_positive: float, false_negative: float) -> float:
    """Return the probability from which flagging costs less than not flagging (Elkan 2001).

    It is the right threshold for probabilities that are shares, such as those of a constant.
    """
    return false_positive / (false_positive + false_negative)
