"""Quality by slice: the goal's score of parts of a window, by its monitored columns."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, take
from ..contract.training import Metric, Outcome
from ..frozen import Frozen
from ..reference import BINS, Numbers, Reference

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
        values = logged[name]
        if name in reference.outputs:
            continue
        if isinstance(column, Numbers):
            yield f"{name} missing", np.isnan(values)
            edges = column.edges if len(column.edges) < BINS // 2 else column.edges[2:-1:3]
            bounds = (-np.inf, *edges, np.inf)
            for low, high in pairwise(bounds):
                yield f"{name} {describe_range(low, high)}", (values > low) & (values <= high)
        else:
            yield f"{name} missing", np.array([not value for value in values.tolist()], np.bool_)
            for category in column.names:
                yield f"{name} {category}", values == category


def describe_range(low: float, high: float) -> str:
    """Return a range without its lower bound as words."""
    if np.isinf(low):
        return f"up to {high:.4g}"
    return f"above {low:.4g}" + ("" if np.isinf(high) else f", up to {high:.4g}")
