"""Quality: metrics of a window once labels are known, and an estimate of the goal before that."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..bundle import Interval
from ..columns import Columns, length, take
from ..contract.monitoring import Monitoring
from ..contract.training import Metric, Outcome, Weights
from .windows import Window

DRAWS = 20
RESAMPLES = 100


def labelled(monitoring: Monitoring, window: Window) -> tuple[Outcome, Columns] | None:
    """Return the answers whose label is known, and the same rows of the log; None without any."""
    is_known = np.array([label is not None for label in window.labels], np.bool_)
    if not is_known.any():
        return None
    logged = take(window.rows, is_known)
    answered = monitoring.read_answers(logged)
    labels = monitoring.read_labels([label for label in window.labels if label is not None])
    rows = {**answered.rows, **labels}
    is_scored = has_scores(answered.predictions)
    if not is_scored.any():
        return None
    outcome = Outcome(take(rows, is_scored), take(answered.predictions, is_scored))
    return outcome, take(logged, is_scored)


def has_scores(predictions: Columns) -> NDArray[np.bool_]:
    """Return the rows whose predictions are numbers, (rows,): the others are no answers."""
    numbers = [values for values in predictions.values() if values.dtype.kind == "f"]
    is_scored = np.ones(length(predictions), np.bool_)
    for values in numbers:
        is_scored &= np.isfinite(values).reshape(len(values), -1).all(axis=1)
    return is_scored


def realised(
    metric: Metric, outcome: Outcome, entities: NDArray[np.object_], confidence: float
) -> Interval | None:
    """Score labelled answers; None if the metric has no value."""
    return _interval(metric.scorer(outcome.rows, outcome.predictions), entities, confidence, 1)


def estimated(
    monitoring: Monitoring, metric: Metric, window: Window, confidence: float
) -> Interval | None:
    """Estimate the score of all answers without labels; None if they have no probabilities.

    Labels are drawn from the calibrated probabilities; the mean score over the draws is the
    expected one. It is right if the probabilities are, also when other instances arrive than
    before; it cannot see that the same instances turn out otherwise. For decisions it is the
    confidence-based performance estimation of NannyML; see also Guillory et al. (2021).
    """
    if monitoring.probabilities is None or window.reference is None:
        return None
    answered = monitoring.read_answers(window.rows)
    is_scored = has_scores(answered.predictions)
    if not is_scored.any():
        return None
    rows = take(answered.rows, is_scored)
    predictions = take(answered.predictions, is_scored)
    limits = np.cumsum(window.reference.calibrate(monitoring.probabilities(predictions)), axis=1)
    random = np.random.default_rng(0)

    def score(weights: Weights) -> float:
        codes = (random.random((len(limits), 1)) > limits[:, :-1]).sum(axis=1)
        return metric.score({**rows, monitoring.target: codes}, predictions, weights)

    return _interval(score, window.rows["entity"][is_scored], confidence, DRAWS)


def _interval(
    score: Callable[[Weights], float], entities: NDArray[np.object_], confidence: float, times: int
) -> Interval | None:
    """Return the mean of a score that is computed some times, and bounds; None without a value.

    Each bound holds with the confidence: entities are drawn with replacement; a row that names none
    is one of its own.
    """
    own = [entity or number for number, entity in enumerate(entities.tolist())]
    group = np.unique(np.array(own, str), return_inverse=True)[1]
    count = int(group.max()) + 1
    ones = np.ones(len(group))
    drawn_scores = [score(ones) for _ in range(times)]
    if np.isnan(drawn_scores).mean() > 0.5:
        return None
    estimate = float(np.nanmean(drawn_scores))
    random = np.random.default_rng(0)
    scores = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(random.integers(0, count, count), minlength=count)
        scores.append(score(drawn[group].astype(np.float64)))
    if np.isnan(scores).all():
        return None
    low, high = np.nanquantile(scores, [1 - confidence, confidence])
    return Interval(estimate, float(low), float(high))
