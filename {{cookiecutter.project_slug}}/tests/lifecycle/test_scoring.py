"""Scores by contender, period and slice, with a use case made of two columns."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from project_package.contract import (
    Columns,
    Fold,
    Goal,
    Metric,
    Splits,
    UseCase,
    length,
    take,
)
from project_package.errors import UserError
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.scoring import (
    Slice,
    assess,
    assess_slices,
    digest,
)
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.train import parity_rows

WEEK, LATE = np.array([0, 0, 1, 1]), np.array([False, True, False, True])


def accuracy(rows: Columns, predictions: Columns) -> float:
    right = rows["truth"] == predictions["answer"]
    return float(right.mean()) if rows["truth"].any() else math.nan


def yes(_: Columns, predictions: Columns) -> float:
    return float(predictions["answer"].mean())


GOAL = Goal("accuracy", 0.5, lambda *_: lambda _: 0.0)


@dataclass(frozen=True)
class Fake:
    """The part of a use case that an assessment asks."""

    metrics: tuple[Metric, ...] = (
        Metric("accuracy", "Accuracy", accuracy, ceiling=lambda rows: float(rows["truth"].mean())),
        Metric("yes", "Answers yes", yes, higher_is_better=False),
    )
    goal: Goal = GOAL
    periods: Callable[[Columns], Any] = lambda rows: rows["week"]
    slices: Callable[[Columns], Any] = lambda rows: {
        "everything": rows["week"] >= 0,
        "untrue": ~rows["truth"],
        "late": rows["late"],
        "empty": rows["week"] > 9,
    }


FAKE = cast("UseCase[Any, Any, Any, Any]", Fake())
ROWS = {"truth": np.array([True, True, True, False]), "week": WEEK, "late": LATE}


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


def part(name: str) -> Slice:
    parts = {part.name: part for part in assess_slices(FAKE, ROWS, PREDICTIONS)}
    return parts[name]


def test_a_slice_has_every_metric_as_mean_and_spread_over_the_periods() -> None:
    found = part("everything")
    assert found.rows == 4
    assert found.scores == {score.name: score for score in assess(FAKE, ROWS, PREDICTIONS).scores}


def test_a_metric_of_a_slice_is_the_mean_over_the_periods_that_define_it() -> None:
    accuracy, yes = (part("late").scores[name] for name in ("accuracy", "yes"))
    assert accuracy is not None
    assert yes is not None
    assert (accuracy.periods, accuracy.model, accuracy.spread) == ((1.0,), 1.0, 0.0)  # not week 1
    assert (accuracy.baseline, accuracy.ceiling) == (0.0, 1.0)
    assert (yes.periods, yes.baseline) == ((1.0, 1.0), 0.0)


def test_a_metric_that_no_period_of_a_slice_defines_has_no_score() -> None:
    untrue = part("untrue").scores
    assert untrue["accuracy"] is None
    assert untrue["yes"] is not None


def test_a_slice_without_rows_is_left_out() -> None:
    assert "empty" not in [part.name for part in assess_slices(FAKE, ROWS, PREDICTIONS)]


def test_an_evaluation_is_read_as_it_was_written() -> None:
    evaluation = assess(FAKE, ROWS, PREDICTIONS)
    assert type(evaluation).model_validate_json(evaluation.model_dump_json()) == evaluation


def test_a_period_without_a_score_is_told_instead_of_hidden() -> None:
    rows = {**ROWS, "truth": np.array([True, True, False, False])}
    with pytest.raises(UserError, match="Accuracy is not defined in every period"):
        assess(FAKE, rows, PREDICTIONS)


def test_a_digest_is_of_names_types_and_values() -> None:
    known = {"a": np.array([1, 2]), "b": np.array(["x", "yz"], object)}
    others = [
        {**known, "a": np.array([2, 1])},
        {**known, "a": np.array([1, 2], np.uint64)},
        {**known, "b": np.array(["xy", "z"], object)},
        {"c": known["a"], "b": known["b"]},
    ]
    assert len({digest(columns) for columns in (known, *others)}) == 5
    assert digest(dict(reversed(known.items()))) == digest(known)
    copied = np.array(["x", "".join(["y", "z"])], object)  # the same text at another address
    assert digest({**known, "b": copied}) == digest(known)


@pytest.mark.parametrize("stage", [evaluate, promote])
def test_other_test_rows_than_those_of_the_training_are_refused(
    retrained: Path, opened: Callable[[Path], Project], stage: Callable[[Project], object]
) -> None:
    project = opened(retrained)
    cut = project.use_case.split

    def other(params: Any, folder: Path) -> Splits:
        splits = cut(params, folder)
        as_many = np.maximum(np.arange(length(splits.test)), 1)
        return replace(splits, test=take(splits.test, as_many))

    changed = replace(project, use_case=replace(project.use_case, split=other))
    with pytest.raises(UserError, match="other test rows than the model was made beside"):
        stage(changed)


def test_parity_is_seen_on_test_rows_first_and_on_each_row_once() -> None:
    test, train = {"x": np.arange(4)}, {"x": np.arange(4, 9)}
    fold = Fold(take(train, np.arange(3)), take(train, np.arange(3, 5)))
    splits = Splits(train, (fold, fold), test)
    assert parity_rows(splits, 3)["x"].tolist() == [0, 1, 2]
    assert parity_rows(splits, 6)["x"].tolist() == [0, 1, 2, 3, 4, 5]
    assert parity_rows(splits, 99)["x"].tolist() == [*range(9)]
