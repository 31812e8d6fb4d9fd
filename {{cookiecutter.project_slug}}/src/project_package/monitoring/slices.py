"""Quality by slice: the goal's score of parts of a window, by its monitored columns."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, take
from ..contract.training import Metric, Outcome
from ..frozen import Frozen
from ..reference import Numbers, Reference

SHOWN = 8
SMALLEST = 50
"""Rows of a slice, at least: the score of fewer is chance."""


class SliceScore(Frozen):
    """The score of a part of the answers."""

    name: str
    rows: int
    score: float


def worst_slices(
    reference: Reference, logged: Columns, outcome: Outcome, metric: Metric
) -> tuple[SliceScore, ...]:
    """Return the slices with the worst scores, the worst first.

    Args:
        reference: its columns are sliced by category, or in three parts of numbers.
        logged: the monitored columns of labelled answers, (rows,) each.
        outcome: the same answers.
        metric: the goal.
    """
    scores = []
    for name, mask in slices(reference, logged):
        if mask.sum() >= SMALLEST:
            score = metric.score(take(outcome.rows, mask), take(outcome.predictions, mask))
            if np.isfinite(score):
                scores.append(SliceScore(name=name, rows=int(mask.sum()), score=score))
    scores.sort(key=lambda found: found.score, reverse=not metric.higher_is_better)
    return tuple(scores[:SHOWN])


def slices(reference: Reference, logged: Columns) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield names and rows of the slices by each column that comes from no prediction."""
    for name, column in reference.columns.items():
        if name in reference.outputs:
            continue
        values = logged[name]
        if isinstance(column, Numbers):
            if len(column.edges) > 2:
                low, high = (column.edges[len(column.edges) * part // 3] for part in (1, 2))
                yield f"{name} up to {low:.3g}", values <= low
                yield f"{name} {low:.3g} to {high:.3g}", (values > low) & (values <= high)
                yield f"{name} above {high:.3g}", values > high
        else:
            for category in column.names:
                yield f"{name} {category}", values == category
