"""Scores of the model beside the baseline and the naive answer: whole, by period and by slice."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..contract import Columns, Frozen, Metric, UseCase, length, take
from ..errors import UserError

MODEL, BASELINE, NAIVE = "model", "baseline", "naive"
CONTENDERS = (MODEL, BASELINE, NAIVE)


class Score(Frozen):
    """One metric: the mean over the periods of the test, for each contender."""

    name: str
    label: str
    higher_is_better: bool
    model: float
    spread: float
    """Standard deviation of the model's score over the periods."""
    periods: tuple[float, ...]
    baseline: float
    naive: float
    ceiling: float | None


class SliceScore(Frozen):
    """The goal's metric on a part of the test; None where it is not defined (no positives)."""

    name: str
    rows: int
    model: float | None
    baseline: float | None


class Evaluation(Frozen):
    """What the test showed."""

    rows: int
    goal: str
    scores: tuple[Score, ...]
    slices: tuple[SliceScore, ...]

    def score(self, name: str) -> Score:
        """Give the score of that name."""
        return next(score for score in self.scores if score.name == name)


def assess(
    use_case: UseCase[Any, Any, Any, Any], rows: Columns, predictions: Mapping[str, Columns]
) -> Evaluation:
    """Score the predictions of the three contenders on test rows.

    Raises:
        UserError: a metric is not defined in a period of the test.
    """
    periods = use_case.periods(rows)
    return Evaluation(
        rows=length(rows),
        goal=use_case.goal.metric,
        scores=tuple(_score(metric, rows, predictions, periods) for metric in use_case.metrics),
        slices=assess_slices(use_case, rows, predictions[MODEL], predictions[BASELINE]),
    )


def assess_slices(
    use_case: UseCase[Any, Any, Any, Any], rows: Columns, model: Columns, baseline: Columns
) -> tuple[SliceScore, ...]:
    """Score two predictions with the goal's metric on every slice of the rows."""
    goal = use_case.metric(use_case.goal.metric)
    return tuple(
        SliceScore(
            name=name,
            rows=int(mask.sum()),
            model=_defined(goal.score(take(rows, mask), take(model, mask))),
            baseline=_defined(goal.score(take(rows, mask), take(baseline, mask))),
        )
        for name, mask in use_case.slices(rows).items()
        if mask.any()
    )


def _score(
    metric: Metric, rows: Columns, predictions: Mapping[str, Columns], periods: np.ndarray
) -> Score:
    masks = [periods == period for period in np.unique(periods)]
    parts = [take(rows, mask) for mask in masks]
    by_period = {
        name: [
            metric.score(part, take(predictions[name], mask))
            for part, mask in zip(parts, masks, strict=True)
        ]
        for name in CONTENDERS
    }
    if not all(np.isfinite(scores).all() for scores in by_period.values()):
        raise UserError(
            f"{metric.label} is not defined in every period of the test: one may hold no positive "
            "row. Use more data, or fewer and longer periods."
        )
    ceiling = np.mean([metric.ceiling(part) for part in parts]) if metric.ceiling else None
    return Score(
        name=metric.name,
        label=metric.label,
        higher_is_better=metric.higher_is_better,
        model=float(np.mean(by_period[MODEL])),
        spread=float(np.std(by_period[MODEL])),
        periods=tuple(by_period[MODEL]),
        baseline=float(np.mean(by_period[BASELINE])),
        naive=float(np.mean(by_period[NAIVE])),
        ceiling=ceiling,
    )


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
