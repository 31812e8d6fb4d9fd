"""What monitoring needs of a use case: how logged answers and labels become rows to score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..columns import Columns
from .training import Metric, Outcome, Weights

DRAWS = 20
"""Of labels, for an expected score."""


@dataclass(frozen=True)
class Monitoring:
    """How the quality of a use case is computed from the prediction log."""

    metrics: tuple[str, ...]
    """Names of metrics that need no more than the log and labels, the goal first; none if there are
    never labels."""
    read_answers: Callable[[Columns], Outcome]
    """Return rows, still without what labels say, and predictions, as the metrics take them, of
    logged predictions: `time` (milliseconds since 1970, UTC), `entity` (hash), the monitored
    columns and `answer` (JSON objects), (rows,) each."""
    read_labels: Callable[[Sequence[Mapping[str, Any]]], Columns]
    """Return the columns of rows that labels, JSON objects, say, (rows,) each."""
    draw_labels: Callable[[Columns, np.random.Generator], Columns] | None = None
    """Draw the columns that labels say from the probabilities of predictions (predictions, random
    numbers); None if there are no probabilities."""

    def draw(self, metric: Metric, answered: Outcome) -> Callable[[Weights], float] | None:
        """Return the score of rows with drawn labels by their weights; None without probabilities.

        Each call draws other labels; the mean of the scores is the expected score. It is right if
        the probabilities are, also when other instances arrive than before; it cannot see that the
        same instances turn out otherwise. For decisions it is the confidence-based performance
        estimation of NannyML; Guillory et al. (2021) is akin.
        """
        if (draw_labels := self.draw_labels) is None:
            return None
        predictions = answered.predictions
        random = np.random.default_rng(0)

        def score(weights: Weights) -> float:
            rows = {**answered.rows, **draw_labels(predictions, random)}
            return metric.score(rows, predictions, weights)

        return score

    def expected(self, metric: Metric, answered: Outcome, weights: Weights) -> float | None:
        """Return the expected score of rows; None without probabilities."""
        score = self.draw(metric, answered)
        return float(np.mean([score(weights) for _ in range(DRAWS)])) if score else None
