"""Scores of the model beside the baseline and the naive answer: overall, by period and by slice."""

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, length, take
from ..contract.training import Metric, Training
from ..errors import UserError
from ..frozen import Frozen

Predictions: TypeAlias = Mapping[str, Columns]
"""The predictions of each contender for the same rows."""
Part: TypeAlias = tuple[Columns, Predictions]
"""Some rows and their predictions."""

DASH = "–"  # noqa: RUF001 - shown where a number is not defined
MODEL, BASELINE, NAIVE = CONTENDERS = "model", "baseline", "naive"


class Score(Frozen):
    """One metric on some rows, for each contender: see `Evaluation.pooled`."""

    name: str
    label: str
    meaning: str = ""
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
        """By how much the model is better than the baseline; negative when it is worse."""
        return (self.model - self.baseline) * (1 if self.higher_is_better else -1)


class Slice(Frozen):
    """Every metric on a part of the test; None where no period defines it (no positives)."""

    name: str
    rows: int
    scores: dict[str, Score | None]


class Evaluation(Frozen):
    """The scores on the test rows."""

    rows: int
    goal: str
    scores: tuple[Score, ...]
    slices: tuple[Slice, ...]
    pooled: bool = False
    """Whether a score is of all rows together, or else the mean over the periods that define it."""

    def score(self, name: str) -> Score:
        """Return the score of that name."""
        return next(score for score in self.scores if score.name == name)


def assess(training: Training, rows: Columns, predictions: Predictions) -> Evaluation:
    """Score the contenders on test rows; raise UserError when a period does not define a metric."""
    scores = []
    periods = len(np.unique(training.periods(rows)))
    by_metric = score_rows(training, rows, predictions)
    for metric in training.metrics:
        score = by_metric[metric.name]
        if score is None or len(score.periods) < periods:
            raise UserError(
                f"{metric.label} is not defined in every period of the test: one "
                "may hold no positive row. Use more data, or fewer and longer periods."
            )
        scores.append(score)
    return Evaluation(
        rows=length(rows),
        goal=training.goal.name,
        scores=tuple(scores),
        slices=score_slices(training, rows, predictions),
        pooled=training.pooled,
    )


def score_slices(training: Training, rows: Columns, predictions: Predictions) -> tuple[Slice, ...]:
    """Score the contenders by every metric on each slice with some of the rows, but not all."""
    return tuple(
        Slice(name=name, rows=mask.sum(), scores=score_rows(training, rows, predictions, mask))
        for name, mask in training.slices(rows).items()
        if mask.any() and not mask.all()
    )


def score_rows(
    training: Training,
    rows: Columns,
    predictions: Predictions,
    mask: NDArray[np.bool_] | bool = True,
) -> dict[str, Score | None]:
    """Score the contenders by every metric on the rows of a mask.

    A metric that no period defines has None.
    """
    periods = training.periods(rows)  # of all rows: the first may not be in the mask
    masks = ((periods == period) & mask for period in np.unique(periods))
    parts = [_part(rows, predictions, each) for each in masks if each.any()]
    everything = np.ones(len(periods), np.bool_) & mask
    whole = [_part(rows, predictions, everything)] if training.pooled else None
    return {metric.name: _score(metric, parts, whole) for metric in training.metrics}


def _part(rows: Columns, predictions: Predictions, mask: NDArray[np.bool_]) -> Part:
    return take(rows, mask), {name: take(columns, mask) for name, columns in predictions.items()}


def _score(metric: Metric, parts: Sequence[Part], whole: Sequence[Part] | None) -> Score | None:
    """Score the whole, or else average over the periods that define the metric."""
    by_period = _defined(metric, parts)
    scored = by_period if whole is None else _defined(metric, whole)
    if not by_period or not scored:
        return None
    model, baseline, naive = np.mean([scores for _, scores in scored], axis=0)
    models = [scores[0] for _, scores in by_period]
    return Score(
        name=metric.name,
        label=metric.label,
        meaning=metric.meaning,
        higher_is_better=metric.higher_is_better,
        model=model,
        spread=np.std(models),
        periods=tuple(models),
        baseline=baseline,
        naive=naive,
        ceiling=np.mean([metric.ceiling(rows) for rows, _ in scored]) if metric.ceiling else None,
    )


def _defined(metric: Metric, parts: Sequence[Part]) -> list[tuple[Columns, list[float]]]:
    """Return the parts in which all contenders have a score, with these scores."""
    defined = []
    for rows, predictions in parts:
        scores = [metric.score(rows, predictions[name]) for name in CONTENDERS]
        if np.isfinite(scores).all():
            defined.append((rows, scores))
    return defined


def number(value: float | None, size: float = 0) -> str:
    """Format a score: three decimals, fewer for large values, a dash when it is not defined.

    A spread has the decimals of its score, `size`.
    """
    if value is None or not math.isfinite(value):
        return DASH
    largest = max(abs(value), abs(size))
    decimals = 3 if largest < 10 else 1 if largest < 1000 else 0
    return f"{value:,.{decimals}f}"
