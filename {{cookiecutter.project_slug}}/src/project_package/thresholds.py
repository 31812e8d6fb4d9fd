"""Choose the threshold of a decision: flag a row, or let it pass.

Scores are higher for rows that are more likely to deserve a flag, (rows,).
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[Any]


def threshold_costs(scores: Values, flagged: Values, passed: Values) -> tuple[Values, Values]:
    """Return every distinct score as a threshold, highest first, and the cost of all rows with it.

    Both have shape (distinct scores,). A row whose score is at least the threshold costs `flagged`,
    any other `passed`, (rows,) each.
    """
    falling, code = np.unique(-scores.astype(np.float64), return_inverse=True)
    return -falling, passed.sum() + np.cumsum(np.bincount(code, flagged - passed))


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
