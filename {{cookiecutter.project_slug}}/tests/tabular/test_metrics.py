"""Metrics by name, with the values that can be computed by hand; periods and slices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tabular.tables import params, problem, rows

from project_package.columns import Columns, length
from project_package.data.table_schema import Column, Schema
from project_package.errors import UserError
from project_package.tabular.metrics import (
    find_metrics,
    naive,
    periods,
    score_functions,
    slices,
)
from project_package.tabular.problem import Kind, find_problem

BINARY: Columns = {
    "probabilities": np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]], np.float32),
    "prediction": np.array([0, 0, 0, 1]),
}
NUMBERS: Columns = {
    "prediction": np.array([1.0, 2, 3, 4]),
    "low": np.array([0.0, 1, 2, 3]),
    "high": np.array([2.0, 3, 4, 5]),
}


def score(kind: Kind, name: str, y: Sequence[float], predictions: Columns, **changes: Any) -> float:
    target = np.array(y, np.float64 if kind == "regression" else np.int64)
    function = score_functions(kind, params(**changes))[name]
    return function(target, predictions, np.ones(len(y)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("average_precision", 5 / 6),
        ("roc_auc", 0.75),
        ("accuracy", 0.75),
        ("balanced_accuracy", 0.75),
        ("brier", (0.01 + 0.16 + 0.49 + 0.04) / 4),
        ("log_loss", -np.log([0.9, 0.6, 0.3, 0.8]).mean()),
        ("cost", 5 / 4),
        ("f1_macro", (0.8 + 2 / 3) / 2),
    ],
)
def test_scores_of_two_classes(name: str, expected: float) -> None:
    decide = {"false_negative": 5}
    found = score("binary", name, [0, 0, 1, 1], BINARY, decide=decide)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mae", 1.25),
        ("rmse", 2.5),
        ("coverage_gap", 0.05),
        ("pinball", (0.1 * (1 + 1 + 1 + 6) + 0.1 * (1 + 1 + 1) + 0.9 * 4) / 4 / 2),
        ("r2", 1 - 25 / 38.75),
    ],
)
def test_scores_of_numbers(name: str, expected: float) -> None:
    assert score("regression", name, [1, 2, 3, 9], NUMBERS) == pytest.approx(expected)


def test_bounds_belong_to_the_interval() -> None:
    found = score("regression", "coverage_gap", [0, 3, 4, 5.1], NUMBERS)  # low, high, high, out
    assert found == pytest.approx(0.05)


def test_two_different_values_have_a_variance() -> None:
    assert score("regression", "r2", [1, 1, 4, 4], NUMBERS) == pytest.approx(1 - 2 / 9)


def test_cost_adds_missed_rows_and_false_alarms() -> None:
    decide = {"false_negative": 5, "false_positive": 2}
    assert score("binary", "cost", [1, 0, 1, 0], BINARY, decide=decide) == (5 + 5 + 2) / 4


def test_class_without_rows_has_no_recall_and_a_probability() -> None:
    assert score("binary", "balanced_accuracy", [0, 0, 0, 0], BINARY) == 0.75 / 2
    chances = {"probabilities": np.array([[0.5, 0.25, 0.25]] * 2, np.float32)}
    assert score("multiclass", "log_loss", [0, 0], chances) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("kind", "predictions", "y"),
    [("binary", BINARY, [0, 0, 1, 1]), ("regression", NUMBERS, [1, 4, 2, 8])],
)
def test_weights_count_as_repeated_rows(kind: Kind, predictions: Columns, y: list[int]) -> None:
    repeated = np.array([0, 1, 1, 2, 3, 3, 3])
    target = np.array(y)
    more = {key: values[repeated] for key, values in predictions.items()}
    for name, function in score_functions(kind, params()).items():
        if name != "calibration":  # its bins hold rows
            weighted = function(target, predictions, np.array([1.0, 2, 1, 3]))
            assert function(target[repeated], more, np.ones(7)) == pytest.approx(weighted), name


def test_scores_without_a_class_are_not_defined() -> None:
    assert np.isnan(score("binary", "average_precision", [0, 0, 0, 0], BINARY))
    assert np.isnan(score("binary", "roc_auc", [1, 1, 1, 1], BINARY))
    assert np.isnan(score("regression", "r2", [2, 2, 2, 2], NUMBERS))


def test_calibration_sees_probabilities_that_are_too_high() -> None:
    chances = np.column_stack([np.full(100, 0.4), np.full(100, 0.6)]).astype(np.float32)
    target = [1] * 30 + [0] * 70
    found = score("binary", "calibration", target, {"probabilities": chances})
    assert found >= 0.3 - 1e-6


@pytest.mark.parametrize(
    ("target", "goal"), [("left", "average_precision"), ("plan", "f1_macro"), ("spent", "mae")]
)
def test_goal_has_a_default_and_a_choice_by_name(target: str, goal: str) -> None:
    found = find_metrics(problem(target), params())
    assert found[0].name == goal
    chosen = find_metrics(problem(target), params(metric=found[-1].name))
    assert chosen[0].name == found[-1].name
    assert {metric.name for metric in chosen} == {metric.name for metric in found}


@pytest.mark.parametrize(
    ("target", "higher"),
    [
        ("left", ["average_precision", "roc_auc", "f1_macro", "balanced_accuracy", "accuracy"]),
        ("plan", ["f1_macro", "balanced_accuracy", "accuracy"]),
        ("spent", ["r2"]),
    ],
)
def test_scores_are_better_when_higher_and_errors_when_lower(
    target: str, higher: list[str]
) -> None:
    found = find_metrics(problem(target), params())
    assert [metric.name for metric in found if metric.higher_is_better] == higher
    assert all(metric.label and metric.meaning.endswith(".") for metric in found)


def test_unknown_metric_is_refused() -> None:
    with pytest.raises(UserError, match='metric: "rmse" is not a metric of a binary task'):
        find_metrics(problem(), params(metric="rmse"))


def test_naive_prediction_is_the_best_constant() -> None:
    table = rows()
    for missed, expected in ((0.01, 0), (100, 1)):
        decided = naive(problem(), params(decide={"false_negative": missed}), table)
        assert {*decided["prediction"].tolist()} == {expected}
    shares = naive(problem("plan"), params(), table)["probabilities"]
    assert shares[0] == pytest.approx(np.bincount(table["plan"]) / 400)
    nobody = {"plan": np.zeros(4, np.int64)}
    assert naive(problem("plan"), params(), nobody)["probabilities"].tolist() == [[1, 0, 0]] * 4
    numbers = naive(problem("spent"), params(), table)
    assert numbers["prediction"][0] == np.median(table["spent"])
    inside = (table["spent"] >= numbers["low"]) & (table["spent"] <= numbers["high"])
    assert np.mean(inside) == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("without", [(), ("month", "since")])
def test_every_period_has_every_class(without: tuple[str, ...]) -> None:
    table = rows()
    found = problem("plan", without)
    part = periods(found, table)
    assert 2 <= len(np.unique(part)) <= 5
    for number in np.unique(part):
        assert len(np.unique(table["plan"][part == number])) == 3
    if not without:
        assert (np.diff(part[np.argsort(table["month"], kind="stable")]) >= 0).all()


@pytest.mark.parametrize(("months", "count"), [(1, 1), (2, 2), (3, 3), (10, 5)])
def test_periods_are_equally_long_parts_of_the_time(months: int, count: int) -> None:
    table = {**rows(40 * months), "left": np.arange(40 * months) % 2}
    assert np.bincount(periods(problem(), table)).tolist() == [40 * months / count] * count


def test_rows_without_a_time_go_to_the_periods_in_turn() -> None:
    table = {**rows(), "left": (np.arange(400) % 7 == 0).astype(np.int64)}
    without = ("month", "since")
    assert periods(problem("spent", without), table).tolist() == [n % 5 for n in range(400)]
    part = periods(problem("left", without), table)
    for code, first in ((0, 0), (1, 342)):  # class by class
        found = part[table["left"] == code].tolist()
        assert found == [(first + n) % 5 for n in range(len(found))]


@pytest.mark.parametrize(("target", "rare"), [("left", 1), ("plan", 2)])
@pytest.mark.parametrize(("count", "parts"), [(1, 1), (2, 2), (4, 4), (9, 5)])
def test_rare_rows_leave_few_periods(target: str, rare: int, count: int, parts: int) -> None:
    values = np.where(np.arange(50) < count, rare, np.arange(50) % rare)
    part = periods(problem(target, ("month", "since")), {**rows(50), target: values})
    assert part.max() + 1 == parts


def test_slices_are_of_columns_with_few_values() -> None:
    table = rows()
    found = slices(problem(), table)
    assert {"class plus", "class basic", "class missing", "active true"} <= {*found}
    assert not any(name.startswith(("paid", "firm")) for name in found)
    assert sum(mask.sum() for name, mask in found.items() if "class" in name) == length(table)
    assert not slices(problem(), rows(60))
    assert np.array_equal(found["active true"], table["active"] == 1)
    assert np.array_equal(found["active false"], table["active"] == 0)
    assert np.array_equal(found["active missing"], np.isnan(table["active"]))


@pytest.mark.parametrize(
    ("count", "positive", "is_slice"),
    [(50, 10, True), (49, 10, False), (50, 9, False), (50, 41, False)],
)
def test_small_slices_say_little(count: int, positive: int, is_slice: bool) -> None:
    number = np.arange(200)
    rare = {"active": 1.0 * (number < count), "left": (number < positive).astype(np.int64)}
    assert ("active true" in slices(problem(), {**rows(200), **rare})) == is_slice


@pytest.mark.parametrize(
    ("values", "others", "count"), [(8, False, 8), (9, False, 0), (8, True, 0)]
)
def test_category_has_slices_if_its_values_are_few(values: int, others: bool, count: int) -> None:
    names = tuple("abcdefghi"[:values])
    column = Column(role="feature", type="category", categories=names, others=others)
    left = Column(role="target", type="boolean")
    found = find_problem(Schema(columns={"letter": column, "left": left}), "left")
    number = np.arange(900)
    letters = np.array(names, object)[number % values]
    parts = slices(found, {"letter": letters, "left": number // values % 2})
    assert {*parts} == {f"letter {name}" for name in names[:count]}
    assert all(np.array_equal(mask, letters == name[-1]) for name, mask in parts.items())
