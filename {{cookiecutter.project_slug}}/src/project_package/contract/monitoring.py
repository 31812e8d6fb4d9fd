"""What monitoring needs of a use case: how logged answers and labels become rows to score."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..columns import Columns
from .training import Outcome


@dataclass(frozen=True)
class Monitoring:
    """How the quality of a use case is computed from the prediction log."""

    metrics: tuple[str, ...]
    """Names of metrics that need no more than the log and labels, the goal among them; none if
    there are never labels."""
    read_answers: Callable[[Columns], Outcome]
    """Return rows, still without what labels say, and predictions, as the metrics take them, of
    logged predictions: `time` (milliseconds since 1970, UTC), `entity` (hash), the monitored
    columns and `answer` (JSON objects), (rows,) each."""
    read_labels: Callable[[Sequence[Mapping[str, Any]]], Columns]
    """Return the columns of rows that labels, JSON objects, say, (rows,) each."""
    write_labels: Callable[[Columns], list[dict[str, Any]]]
    """Return the labels of test rows, JSON objects, as `read_labels` reads them (rows)."""
    requested: Mapping[str, int] = field(default_factory=dict)
    """Columns of requests that test rows do not have, with the value of all of them."""
    target: str = ""
    """Of these the one that is a class, true or false or a code from 0, if there is one."""
    probabilities: Callable[[Columns], NDArray[Any]] | None = None
    """Return the probabilities of the classes (predictions): (rows, classes); None if predictions
    have none."""
