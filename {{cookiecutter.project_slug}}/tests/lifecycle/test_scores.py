"""Scores by contender, period and slice, with a use case of two columns."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain.use_case import TRAINING

from project_package.columns import Columns, length, take, weighted_mean
from project_package.contract.training import (
    Metric,
    Splits,
    Weights,
)
from project_package.errors import UserError
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.scores import (
    DASH,
    Slice,
    assess,
    number,
    score_slices,
)


def accuracy(rows: Columns, predictions: Columns, weights: Weights) -> float:
    right = rows["truth"] == predictions["answer"]
    return weighted_mean(right, weights) if rows["truth"].any() else math.nan


TWO_COLUMNS = replace(
    TRAINING,
    metrics=(
        Metric("accuracy", "Accuracy", accuracy, ceiling=lambda rows: float(rows["truth"].mean())),
        Metric("yes", "Answers yes", lambda _, p, w: weighted_mean(p["answer"], w), None, False),
    ),
    periods=lambda rows: rows["week"],
    slices=lambda rows: {
        "everything": rows["week"] >= 0,
        "untrue": ~rows["truth"],
        "late": rows["late"],
        "empty": rows["week"] > 9,
    },
)
ROWS = {
    "truth": np.array([True, True, True, False]),
    "week": np.array([0, 0, 1, 1]),
    "late": np.array([False, True, False, True]),
}
PREDICTIONS = {
    "model": {"answer": np.array([True, True, True, True])},
    "baseline": {"answer": np.array([True, False, True, False])},
    "naive": {"answer": np.array([False, False, False, False])},
}


def find(name: str) -> Slice:
    return next(p for p in score_slices(TWO_COLUMNS, ROWS, PREDICTIONS) if p.name == name)


def test_score_is_the_mean_over_periods_with_its_spread() -> None:
    evaluation = assess(TWO_COLUMNS, ROWS, PREDICTIONS)
    score = evaluation.score("accuracy")
    assert (evaluation.rows, evaluation.goal, evaluation.pooled) == (4, "accuracy", False)
    assert [evaluation.score(name).name for name in ("accuracy", "yes")] == ["accuracy", "yes"]
    assert score.periods == (1.0, 0.5)
    assert (score.model, score.spread) == (0.75, 0.25)
    assert (score.baseline, score.naive) == (0.75, 0.25)
    assert score.ceiling == pytest.approx(0.75)
    assert evaluation.slices == score_slices(TWO_COLUMNS, ROWS, PREDICTIONS)


def test_score_is_no_median_of_the_periods() -> None:
    rows = {**ROWS, "week": np.array([0, 1, 2, 2])}  # the model is right in 1, 1 and 1/2
    score = assess(TWO_COLUMNS, rows, PREDICTIONS).score("accuracy")
    assert score.model == pytest.approx(2.5 / 3)
    assert score.ceiling == pytest.approx(2.5 / 3)


@pytest.mark.parametrize(("higher", "gain"), [(True, 0.2), (False, -0.2)])
def test_gain_is_positive_when_the_model_is_better(higher: bool, gain: float) -> None:
    score = assess(TWO_COLUMNS, ROWS, PREDICTIONS).score("accuracy")
    changes = {"model": 0.7, "baseline": 0.5, "higher_is_better": higher}
    assert score.model_copy(update=changes).gain == pytest.approx(gain)


@pytest.mark.parametrize(
    ("value", "size", "text"),
    [
        (0.12345, 0.0, "0.123"),
        (-9.9994, 0.0, "-9.999"),
        (10.0, 0.0, "10.0"),
        (-999.94, 0.0, "-999.9"),
        (1000.0, 0.0, "1,000"),
        (0.5, -10.0, "0.5"),
        (None, 0.0, DASH),
        (math.nan, 0.0, DASH),
        (math.inf, 0.0, DASH),
    ],
)
def test_large_scores_have_fewer_decimals(value: float | None, size: float, text: str) -> None:
    assert number(value, size) == text


def test_metric_that_one_contender_does_not_define_has_no_score() -> None:
    positive = Metric("some", "Some", lambda _, p, __: 1.0 if p["answer"].any() else math.nan)
    training = replace(TWO_COLUMNS, metrics=(*TWO_COLUMNS.metrics, positive))
    assert score_slices(training, ROWS, PREDICTIONS)[1].scores["some"] is None


def test_pooled_score_is_of_all_rows_and_keeps_the_spread() -> None:
    uneven = {"week": np.array([0, 1, 1, 1])}
    pooled = replace(TWO_COLUMNS, pooled=True, metrics=TWO_COLUMNS.metrics[::-1])
    evaluation = assess(pooled, {**ROWS, **uneven}, PREDICTIONS)
    score = evaluation.score("accuracy")
    assert evaluation.pooled
    assert (score.model, score.baseline, score.naive, score.ceiling) == (0.75, 0.75, 0.25, 0.75)
    assert score.periods == pytest.approx((1, 2 / 3))
    assert score.spread == pytest.approx(1 / 6)


def test_pooled_slice_is_scored_on_its_rows() -> None:
    both = Metric("both", "Two weeks", lambda rows, *_: 1.0 if np.ptp(rows["week"]) else math.nan)
    training = replace(TWO_COLUMNS, pooled=True, metrics=(*TWO_COLUMNS.metrics, both))
    late = score_slices(training, ROWS, PREDICTIONS)[1].scores
    assert late["accuracy"] is not None
    assert (late["accuracy"].model, late["accuracy"].baseline) == (0.5, 0.5)
    assert late["both"] is None  # since no period defines it


def test_slice_is_scored_in_the_periods_that_define_a_metric() -> None:
    accuracy, yes = (find("late").scores[name] for name in ("accuracy", "yes"))
    assert accuracy is not None
    assert yes is not None
    assert (accuracy.periods, accuracy.baseline, accuracy.ceiling) == ((1.0,), 0.0, 1.0)
    assert (yes.periods, yes.baseline) == ((1.0, 1.0), 0.0)
    assert find("untrue").scores["accuracy"] is None


def test_slice_of_no_row_or_every_row_is_left_out() -> None:
    parts = score_slices(TWO_COLUMNS, ROWS, PREDICTIONS)
    assert [(part.name, part.rows) for part in parts] == [("untrue", 1), ("late", 2)]


def test_period_without_a_score_is_an_error() -> None:
    rows = {**ROWS, "truth": np.array([True, True, False, False])}
    with pytest.raises(UserError, match="Accuracy is not defined in every period"):
        assess(TWO_COLUMNS, rows, PREDICTIONS)


@pytest.mark.parametrize("stage", [evaluate, promote])
def test_other_test_rows_than_at_training_are_refused(
    retrained: Path, opened: Callable[[Path], Project], stage: Callable[[Project], object]
) -> None:
    project = opened(retrained)

    def split(params: Any, folder: Path) -> Splits:
        splits = TRAINING.split(params, folder)
        as_many = np.maximum(np.arange(length(splits.test)), 1)
        return replace(splits, test=take(splits.test, as_many))

    changed = replace(project, training=replace(project.training, split=split))
    with pytest.raises(UserError, match="These parameters select other test rows"):
        stage(changed)
