"""Every estimator fits every kind of task, its graph predicts alike, and decisions are measured."""

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from tabular.tables import COLUMNS, bundle_of, error, problem, rows

from project_package.columns import take
from project_package.contract.training import (
    Candidate,
)
from project_package.data.table_schema import Column, Schema
from project_package.errors import UserError
from project_package.lifecycle.gate import parity
from project_package.tabular.estimators import ESTIMATORS, Estimator
from project_package.tabular.models import (
    candidates,
)
from project_package.tabular.problem import Problem, find_problem
from project_package.tabular.task import load

TRAIN = rows(400)
TEST = rows(300, seed=1)
NAMES = [estimator.name for estimator in ESTIMATORS]


def candidate(
    name: str, target: str, without: tuple[str, ...] = (), added: tuple[Estimator, ...] = ()
) -> Candidate:
    found = candidates(problem(target, without), estimators=(*ESTIMATORS, *added))
    return next(one for one in found if one.name == name)


def loaded(fitted: Any) -> Any:
    return load(bundle_of(fitted.files()))


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
@pytest.mark.parametrize("name", NAMES)
def test_graph_predicts_as_the_fitted_model(name: str, target: str) -> None:
    one = candidate(name, target)
    fitted = one.fit(TRAIN, one.start, 7)
    odd = take(TEST, np.arange(3))
    odd = {
        **odd,
        "class": np.array(["never seen", "", "plus"], object),
        "paid": np.array([1e30, -1e30, np.nan]),
    }
    for table in (TEST, odd):
        found = parity(loaded(fitted).predict(table), fitted.predict(table))
        assert found.largest_difference < 1e-5
        assert found.changed_decisions == 0


@pytest.mark.parametrize("decimals", [0, 1, 2, 4])
def test_decimals_in_the_middle_of_others_are_split_alike(decimals: int) -> None:
    random = np.random.default_rng(2)
    one = candidate("hist_gradient_boosting", "left")
    table = {name: np.resize(values, 3000) for name, values in TRAIN.items()}
    table |= {n: random.normal(15, 2, 3000).round(decimals) for n in ("paid", "家", "since")}
    table["left"] = (table["paid"] + table["家"] + random.normal(0, 1, 3000) > 30).astype(np.int64)
    fitted = one.fit(take(table, np.arange(150)), one.start, 7)
    assert parity(loaded(fitted).predict(table), fitted.predict(table)).largest_difference < 1e-5


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
@pytest.mark.parametrize("name", NAMES)
def test_model_learns_more_than_a_constant(name: str, target: str) -> None:
    one = candidate(name, target)
    predictions = one.fit(TRAIN, one.start, 7).predict(TEST)
    values = TRAIN[target]
    constant = np.median(values) if target == "spent" else np.bincount(values).argmax()
    assert error(TEST, target, predictions) < 0.7 * error(
        TEST, target, {"prediction": np.full(300, constant)}
    )


@pytest.mark.parametrize(
    "without", [("class",), ("paid", "家", "active", "since"), ("paid", "class", "active", "since")]
)
def test_tables_of_one_kind_of_column_are_fitted(without: tuple[str, ...]) -> None:
    for name in NAMES:
        one = candidate(name, "left", without)
        fitted = one.fit(TRAIN, one.start, 7)
        assert parity(loaded(fitted).predict(TEST), fitted.predict(TEST)).changed_decisions == 0


@pytest.mark.parametrize("name", NAMES[1:])
def test_numbers_far_from_zero_are_predicted_alike(name: str) -> None:
    one = candidate(name, "spent")
    large = {**one.start, "n_estimators": 600} if name == "xgboost" else one.start
    fitted = one.fit({**TRAIN, "spent": TRAIN["spent"] / 1_000 + 2_000}, large, 7)
    found = loaded(fitted).predict(TEST)["prediction"]
    assert np.abs(found - fitted.predict(TEST)["prediction"]).max() < 1e-5
    assert np.abs(found - 2_000).max() < 1


def test_trees_after_a_linear_model_follow_a_straight_line() -> None:
    line, new = (t["since"] / 100 + (t["class"] == "plus") for t in (TRAIN, TEST))
    one = candidate("hist_gradient_boosting", "spent")
    errors = []
    for after in (False, True):
        fitted = one.fit({**TRAIN, "spent": line}, {**one.start, "after_linear": after}, 7)
        assert parity(loaded(fitted).predict(TEST), fitted.predict(TEST)).largest_difference < 1e-5
        errors.append(np.mean(np.abs(fitted.predict(TEST)["prediction"] - new)))
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize(("target", "classes"), [("left", 2), ("plan", 3), ("spent", 2)])
def test_categories_with_many_values_help_trees(target: str, classes: int, others: bool) -> None:
    names = np.array([f"shop {n}" for n in range(60)], object)
    codes = np.random.default_rng(3).integers(0, 60, 2400)
    table = {name: np.resize(values, 2400) for name, values in TRAIN.items()}
    table |= {"class": names[codes], target: (codes % classes).astype(np.int64)}
    listed = tuple(names[:40]) if others else tuple(names)
    column = COLUMNS["class"].model_copy(update={"others": others, "categories": listed})
    found = find_problem(Schema(columns={**COLUMNS, "class": column}), target)
    for one in candidates(found)[2:]:
        fitted = one.fit(take(table, np.arange(2000)), one.start, 7)
        new = take(table, np.arange(2000, 2400))
        known = (0.7 if others else 0.9) if target == "plan" else 0.95
        assert np.mean(np.round(fitted.predict(new)["prediction"]) == new[target]) > known
        assert parity(loaded(fitted).predict(new), fitted.predict(new)).changed_decisions == 0


def monotone(target: str, **words: str) -> Problem:
    """Return the problem of a target, monotone in some columns."""
    changed = {n: COLUMNS[n].model_copy(update={"monotone": word}) for n, word in words.items()}
    return find_problem(Schema(columns={**COLUMNS, **changed}), target)


@pytest.mark.parametrize("target", ["left", "spent"])
def test_answers_are_monotone_where_the_schema_says_so(target: str) -> None:
    found = candidates(monotone(target, paid="decreasing", 家="increasing"), absolute=True)
    assert [one.name for one in found] == [name for name in NAMES if name != "linear"]
    grid = take(TEST, np.repeat(np.arange(100), 20))
    for one in found:
        fitted = one.fit(TRAIN, one.start, 7)
        for name, values in (("paid", np.linspace(90, 0, 20)), ("家", np.linspace(1, 9, 20))):
            answers = fitted.predict({**grid, name: np.tile(values, 100)})
            shown = answers["prediction"] if target == "spent" else answers["probabilities"][:, 1]
            steps = np.diff(shown.reshape(100, 20), axis=1)
            assert steps.min() >= 0
            assert steps.max() > 0 or name == "paid"  # without the rule, answers rise with both


def test_monotone_needs_a_number_and_an_answer_with_an_order() -> None:
    with pytest.raises(UserError, match="a number or two classes to predict"):
        monotone("plan", paid="increasing")
    with pytest.raises(ValueError, match="only a feature that is a number or a boolean"):
        Column(role="feature", type="date", monotone="increasing")
    with pytest.raises(ValueError, match="only a feature that is a number or a boolean"):
        Column(role="outcome", type="number", monotone="increasing")


def test_absolute_errors_are_fitted_where_they_decide() -> None:
    skewed = {**TRAIN, "spent": np.exp(TRAIN["spent"] / 80)}
    for name in ("hist_gradient_boosting", "xgboost"):
        errors = {}
        for absolute in (True, False):
            found = candidates(problem("spent"), absolute)
            one = next(each for each in found if each.name == name)
            value = one.fit(skewed, one.start, 7).predict(TEST)["prediction"]
            errors[absolute] = np.mean(np.abs(np.exp(TEST["spent"] / 80) - value))
        assert errors[True] < errors[False]


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
@pytest.mark.parametrize(
    "added",
    [
        Estimator("added", RandomForestClassifier, RandomForestRegressor, {"n_estimators": 20}),
        Estimator("added", KNeighborsClassifier, KNeighborsRegressor, {"n_neighbors": 3}),
    ],
    ids=("forest", "neighbours"),
)
def test_an_estimator_of_scikit_learn_is_one_entry(added: Estimator, target: str) -> None:
    one = candidate("added", target, added=(added,))
    first, second = (one.fit(TRAIN, one.start, 7) for _ in range(2))
    assert parity(first.predict(TEST), second.predict(TEST)).largest_difference == 0
    assert parity(loaded(first).predict(TEST), first.predict(TEST)).largest_difference < 1e-5


def test_estimator_without_a_graph_is_refused_at_its_first_trial() -> None:
    added = Estimator("dummy", DummyClassifier, DummyRegressor, {})
    one = candidate("dummy", "left", added=(added,))
    with pytest.raises(UserError, match="DummyClassifier cannot be converted to ONNX"):
        one.fit(TRAIN, one.start, 7)
