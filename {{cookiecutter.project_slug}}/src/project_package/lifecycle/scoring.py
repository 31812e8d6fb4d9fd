"""Scores of the model beside the baseline and the naive answer: whole, by period and by slice."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Frozen, Metric, UseCase, length, take
from ..errors import UserError

AnyUseCase: TypeAlias = UseCase[Any, Any, Any, Any]
Predictions: TypeAlias = Mapping[str, Columns]

MODEL, BASELINE, NAIVE = "model", "baseline", "naive"
CONTENDERS = (MODEL, BASELINE, NAIVE)


class Score(Frozen):
    """One metric on some rows: each contender's mean over the periods that define it."""

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

    @property
    def gain(self) -> float:
        """By how much the model is better than the baseline; below 0 where it is worse."""
        return (self.model - self.baseline) * (1 if self.higher_is_better else -1)


class Slice(Frozen):
    """Every metric on a part of the test; None where no period defines it (no positives)."""

    name: str
    rows: int
    scores: dict[str, Score | None]


class Evaluation(Frozen):
    """What the test showed."""

    rows: int
    goal: str
    scores: tuple[Score, ...]
    slices: tuple[Slice, ...]

    def score(self, name: str) -> Score:
        """Give the score of that name."""
        return next(score for score in self.scores if score.name == name)


def assess(use_case: AnyUseCase, rows: Columns, predictions: Predictions) -> Evaluation:
    """Score the predictions of the three contenders on test rows.

    Raises:
        UserError: a metric is not defined in a period of the test.
    """
    found = by_period(use_case, rows, predictions)
    count = len(np.unique(use_case.periods(rows)))
    scores = tuple(score for score in found.values() if score and len(score.periods) == count)
    if lost := [metric for metric in use_case.metrics if found[metric.name] not in scores]:
        raise UserError(
            f"{lost[0].label} is not defined in every period of the test: one may hold no positive "
            "row. Use more data, or fewer and longer periods."
        )
    slices = assess_slices(use_case, rows, predictions)
    return Evaluation(rows=length(rows), goal=use_case.goal.metric, scores=scores, slices=slices)


def by_period(
    use_case: AnyUseCase, rows: Columns, predictions: Predictions
) -> dict[str, Score | None]:
    """Score the three contenders with every metric on all rows, period by period.

    A metric that no period defines has None.
    """
    return _scores(use_case, rows, predictions, np.ones(length(rows), np.bool_))


def assess_slices(
    use_case: AnyUseCase, rows: Columns, predictions: Predictions
) -> tuple[Slice, ...]:
    """Score the three contenders with every metric on every slice of the rows."""
    return tuple(
        Slice(name=name, rows=int(mask.sum()), scores=_scores(use_case, rows, predictions, mask))
        for name, mask in use_case.slices(rows).items()
        if mask.any()
    )


def _scores(
    use_case: AnyUseCase, rows: Columns, predictions: Predictions, part: NDArray[np.bool_]
) -> dict[str, Score | None]:
    """Score the rows of `part` by every metric, in the periods of the whole test."""
    periods = use_case.periods(rows)
    masks = [part & (periods == period) for period in np.unique(periods[part])]
    parts = [
        (take(rows, mask), {name: take(given, mask) for name, given in predictions.items()})
        for mask in masks
    ]
    return {metric.name: _score(metric, parts) for metric in use_case.metrics}


def _score(metric: Metric, parts: Sequence[tuple[Columns, Predictions]]) -> Score | None:
    """Score rows and predictions of the periods in which all contenders have a score."""
    scored = np.array(
        [[metric.score(rows, given[name]) for name in CONTENDERS] for rows, given in parts]
    )
    defined = np.isfinite(scored).all(axis=1)
    if not defined.any():
        return None
    model, baseline, naive = scored[defined].T
    kept = [rows for (rows, _), whole in zip(parts, defined, strict=True) if whole]
    return Score(
        name=metric.name,
        label=metric.label,
        higher_is_better=metric.higher_is_better,
        model=model.mean(),
        spread=model.std(),
        periods=tuple(model.tolist()),
        baseline=baseline.mean(),
        naive=naive.mean(),
        ceiling=np.mean([metric.ceiling(rows) for rows in kept]) if metric.ceiling else None,
    )


def digest(columns: Columns) -> str:
    """Give the SHA-256 of the names, types and values of all columns."""
    total = hashlib.sha256()
    for name, values in sorted(columns.items()):
        total.update(f"{name} {values.dtype} {values.shape}\n".encode())
        text = values.dtype.kind in "OTU"  # as bytes, objects are addresses
        total.update("\0".join(map(str, values.flat)).encode() if text else values.tobytes())
    return total.hexdigest()
