"""Every estimator fits every kind of task, and its graph predicts as the fitted pipeline does."""

from typing import Any

import numpy as np
import pytest
from optuna.trial import FixedTrial
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from tabular.tables import bundle_of, problem, rows

from project_package.contract import Columns, take
from project_package.errors import UserError
from project_package.lifecycle.gate import parity
from project_package.tabular.estimators import ESTIMATORS, Estimator, Goal
from project_package.tabular.models import candidates
from project_package.tabular.task import load
from project_package.training import Candidate

TRAIN, TEST = rows(400), rows(300, seed=1)
NAMES = [estimator.name for estimator in ESTIMATORS]


def candidate(
    name: str, target: str, without: tuple[str, ...] = (), added: tuple[Estimator, ...] = ()
) -> Candidate:
    found = candidates(Goal(problem(target, without), absolute=False), (*ESTIMATORS, *added))
    return next(one for one in found if one.name == name)


def loaded(fitted: Any) -> Any:
    return load(bundle_of(fitted.files()))


def error(target: str, predictions: Columns) -> float:
    if target == "spent":
        return float(np.mean(np.abs(TEST[target] - predictions["prediction"])))
    return float(np.mean(TEST[target] != predictions["prediction"]))


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
    random, one = np.random.default_rng(2), candidate("hist_gradient_boosting", "left")
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
    assert error(target, predictions) < 0.7 * error(target, {"prediction": np.full(300, constant)})


@pytest.mark.parametrize(
    "without", [("class",), ("paid", "家", "active", "since"), ("paid", "class", "active", "since")]
)
def test_tables_of_one_kind_of_column_are_fitted(without: tuple[str, ...]) -> None:
    for name in NAMES:
        one = candidate(name, "left", without)
        fitted = one.fit(TRAIN, one.start, 7)
        assert parity(loaded(fitted).predict(TEST), fitted.predict(TEST)).changed_decisions == 0


@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS if e.space], ids=lambda e: e.name)
def test_space_holds_the_start(estimator: Estimator) -> None:
    assert estimator.space
    trial: Any = FixedTrial(dict(estimator.start))
    assert estimator.space(trial) == estimator.start


def test_absolute_errors_are_fitted_where_they_decide() -> None:
    skewed = {**TRAIN, "spent": np.exp(TRAIN["spent"] / 80)}
    for name in ("hist_gradient_boosting", "xgboost"):
        errors = {}
        for absolute in (True, False):
            found = candidates(Goal(problem("spent"), absolute))
            one = next(each for each in found if each.name == name)
            value = one.fit(skewed, one.start, 7).predict(TEST)["prediction"]
            errors[absolute] = np.mean(np.abs(np.exp(TEST["spent"] / 80) - value))
        assert errors[True] < errors[False]


def forest(_: Goal, settings: Any, seed: int) -> Any:
    return RandomForestClassifier(**settings, random_state=seed)


def test_an_estimator_of_scikit_learn_is_one_entry() -> None:
    added = Estimator("forest", forest, {"n_estimators": 20, "min_samples_leaf": 5})
    one = candidate("forest", "plan", added=(added,))
    fitted = one.fit(TRAIN, one.start, 7)
    assert parity(loaded(fitted).predict(TEST), fitted.predict(TEST)).largest_difference < 1e-5


def test_estimator_without_a_graph_is_refused_at_its_first_trial() -> None:
    added = Estimator("dummy", lambda *_: DummyClassifier(), {"none": 1})
    one = candidate("dummy", "left", added=(added,))
    with pytest.raises(UserError, match="DummyClassifier cannot be converted to ONNX"):
        one.fit(TRAIN, one.start, 7)
