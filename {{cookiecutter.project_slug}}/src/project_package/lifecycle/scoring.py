"""Scores of the model beside the baseline and the naive answer: overall, by period and by slice."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Frozen, length, take
from ..errors import UserError
from ..training import Metric, Training

Predictions: TypeAlias = Mapping[str, Columns]
"""The predictions of each contender for the same rows."""

MODEL, BASELINE, NAIVE = CONTENDERS = "model", "baseline", "naive"


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

    def score(self, name: str) -> Score:
        """Return the score of that name."""
        return next(score for score in self.scores if score.name == name)


def assess(training: Training, rows: Columns, predictions: Predictions) -> Evaluation:
    """Score the predictions of the three contenders on test rows.

    Raises:
        UserError: a metric is not defined in a period of the test.
    """
    scores, periods = [], len(np.unique(training.periods(rows)))
    found = score_rows(training, rows, predictions)
    for metric in training.metrics:
        score = found[metric.name]
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
    """Score the contenders by every metric, period by period, on the rows of a mask.

    A metric that no period defines has None.
    """
    periods, parts = training.periods(rows), []  # of all rows: the first may not be in the mask
    for period in np.unique(periods):
        part = (periods == period) & mask
        if part.any():
            own = {name: take(columns, part) for name, columns in predictions.items()}
            parts.append((take(rows, part), own))
    return {metric.name: _score(metric, parts) for metric in training.metrics}


def _score(metric: Metric, parts: Sequence[tuple[Columns, Predictions]]) -> Score | None:
    """Average a metric over the periods in which all contenders have a score."""
    scores = np.array(
        [[metric.score(rows, own[name]) for name in CONTENDERS] for rows, own in parts]
    )
    defined = np.isfinite(scores).all(axis=1)
    if not defined.any():
        return None
    model, baseline, naive = scores[defined].T
    scored = [rows for (rows, _), whole in zip(parts, defined, strict=True) if whole]
    return Score(
        name=metric.name,
        label=metric.label,
        higher_is_better=metric.higher_is_better,
        model=model.mean(),
        spread=model.std(),
        periods=tuple(model.tolist()),
        baseline=baseline.mean(),
        naive=naive.mean(),
        ceiling=np.mean([metric.ceiling(rows) for rows in scored]) if metric.ceiling else None,
    )


def digest(columns: Columns) -> str:
    """Return the SHA-256 of the names, types and values of all columns."""
    total = hashlib.sha256()
    for name, values in sorted(columns.items()):
        total.update(f"{name} {values.dtype} {values.shape}\n".encode())
        text = values.dtype.kind in "OTU"  # the bytes of an object column are addresses
        total.update("\0".join(map(str, values.flat)).encode() if text else values.tobytes())
    return total.hexdigest()
