"""Scores by contender, period and slice, with a use case made of two columns."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from project_package.contract import Columns, Goal, Metric, UseCase
from project_package.errors import UserError
from project_package.lifecycle.evaluation import assess, assess_slices

WEEK = np.array([0, 0, 1, 1])


def accuracy(rows: Columns, predictions: Columns) -> float:
    right = rows["truth"] == predictions["answer"]
    return float(right.mean()) if rows["truth"].any() else math.nan


GOAL = Goal("accuracy", 0.5, lambda *_: lambda _: 0.0)


@dataclass(frozen=True)
class Fake:
    """The part of a use case that an assessment asks."""

    metrics: tuple[Metric, ...] = (
        Metric("accuracy", "Accuracy", accuracy, ceiling=lambda rows: float(rows["truth"].mean())),
    )
    goal: Goal = GOAL
    periods: Callable[[Columns], Any] = lambda rows: rows["week"]
    slices: Callable[[Columns], Any] = lambda rows: {
        "first": rows["week"] == 0,
        "untrue": ~rows["truth"],
        "empty": rows["week"] > 9,
    }

    def metric(self, _: str) -> Metric:
        return self.metrics[0]


FAKE = cast("UseCase[Any, Any, Any, Any]", Fake())
ROWS = {"truth": np.array([True, True, True, False]), "week": WEEK}


def answers(*values: bool) -> Columns:
    return {"answer": np.array(values)}


PREDICTIONS = {
    "model": answers(True, True, True, True),
    "baseline": answers(True, False, True, False),
    "naive": answers(False, False, False, False),
}


def test_a_score_is_the_mean_of_the_periods_with_its_spread() -> None:
    score = assess(FAKE, ROWS, PREDICTIONS).score("accuracy")
    assert score.periods == (1.0, 0.5)
    assert (score.model, score.spread) == (0.75, 0.25)
    assert (score.baseline, score.naive) == (0.75, 0.25)


def test_a_ceiling_is_the_mean_of_the_periods_too() -> None:
    evaluation = assess(FAKE, ROWS, PREDICTIONS)
    assert evaluation.score("accuracy").ceiling == pytest.approx(0.75)
    assert (evaluation.rows, evaluation.goal) == (4, "accuracy")


def test_slices_compare_model_and_baseline_on_their_rows() -> None:
    parts = assess_slices(FAKE, ROWS, PREDICTIONS["model"], PREDICTIONS["baseline"])
    found = {part.name: (part.rows, part.model, part.baseline) for part in parts}
    assert found["first"] == (2, 1.0, 0.5)


def test_a_slice_without_rows_is_left_out_and_one_without_a_score_has_none() -> None:
    parts = assess_slices(FAKE, ROWS, PREDICTIONS["model"], PREDICTIONS["baseline"])
    found = {part.name: (part.model, part.baseline) for part in parts}
    assert found.keys() == {"first", "untrue"}
    assert found["untrue"] == (None, None)


def test_an_evaluation_is_read_as_it_was_written() -> None:
    evaluation = assess(FAKE, ROWS, PREDICTIONS)
    assert type(evaluation).model_validate_json(evaluation.model_dump_json()) == evaluation


def test_a_period_without_a_score_is_told_instead_of_hidden() -> None:
    rows = {"truth": np.array([True, True, False, False]), "week": WEEK}
    with pytest.raises(UserError, match="Accuracy is not defined in every period"):
        assess(FAKE, rows, PREDICTIONS)
