"""Quality: metrics of a window once labels are known, and an estimate before that.

The estimate draws labels from the probabilities of the model many times: the mean of a metric over
the draws is its expected value. It is right if the probabilities are, also when other instances
arrive than before; it cannot see that the same instances turn out otherwise. For decisions it is
the confidence-based performance estimation of NannyML, and DoC of Guillory et al. (2021) is akin.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..bundle import Interval
from ..columns import length, take
from ..contract.monitoring import Monitoring
from ..contract.training import Metric, Weights
from .windows import Window

DRAWS = 20
RESAMPLES = 100


def realised(
    monitoring: Monitoring, metric: Metric, window: Window, confidence: float
) -> Interval | None:
    """Score the rows whose label is known; None if the metric has no value."""
    is_known = np.array([label is not None for label in window.labels], np.bool_)
    if not is_known.any():
        return None
    logged = take(window.rows, is_known)
    answered = monitoring.read_answers(logged)
    labels = monitoring.read_labels([label for label in window.labels if label is not None])
    score = metric.scorer({**answered.rows, **labels}, answered.predictions)
    return _interval(score, logged["entity"], confidence, draws=1)


def estimated(
    monitoring: Monitoring, metric: Metric, window: Window, confidence: float
) -> Interval | None:
    """Estimate the score of all rows; None if answers have no probabilities."""
    draw_labels = monitoring.draw_labels
    if draw_labels is None or not length(window.rows):
        return None
    answered = monitoring.read_answers(window.rows)
    predictions = answered.predictions
    random = np.random.default_rng(0)

    def score(weights: Weights) -> float:
        labels = draw_labels(predictions, random)
        return metric.score({**answered.rows, **labels}, predictions, weights)

    return _interval(score, window.rows["entity"], confidence, DRAWS)


def _interval(
    score: Callable[[Weights], float], entities: NDArray[np.object_], confidence: float, draws: int
) -> Interval | None:
    """Return a score and its bounds, each of which holds with a confidence; None without a value.

    Entities are drawn with replacement; a row that names none is one of its own.
    """
    own = [entity or number for number, entity in enumerate(entities.tolist())]
    group = np.unique(np.array(own, str), return_inverse=True)[1]
    count = int(group.max()) + 1
    ones = np.ones(len(group))
    random = np.random.default_rng(0)
    drawn = (
        np.bincount(random.integers(0, count, count), minlength=count) for _ in range(RESAMPLES)
    )
    scores = [score(weights[group].astype(np.float64)) for weights in drawn]
    estimate = float(np.mean([score(ones) for _ in range(draws)]))
    if np.isnan(estimate) or np.isnan(scores).all():
        return None
    low, high = np.nanquantile(scores, [1 - confidence, confidence])
    return Interval(estimate, float(low), float(high))
