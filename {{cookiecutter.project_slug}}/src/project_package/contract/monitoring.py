"""What monitoring needs of a use case: how logged answers and labels become rows to score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..columns import Columns
from .training import Outcome


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
