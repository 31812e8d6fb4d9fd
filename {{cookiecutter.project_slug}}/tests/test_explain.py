"""Effects by occlusion, against terms of a sum and exact Shapley values."""

from collections.abc import Callable, Mapping
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from project_package.columns import Columns
from project_package.contract.task import Model
from project_package.explain import (
    ROWS_AT_ONCE,
    effects,
    log_odds,
    reason_columns,
    strongest,
)


def of(model: Model) -> Callable[[Columns], NDArray[np.float64]]:
    """Return the log-odds of a model's scores, as effects are computed from them."""
    return lambda rows: log_odds(model.predict(rows)["score"])[:, None]


MEDIANS = {"a": 1.0, "b": -2.0, "ignored": 5.0}


class Additive:
    """A model with the log-odds a - 2 b."""

    def predict(self, rows: Columns) -> Columns:
        return {"score": 1 / (1 + np.exp(2 * rows["b"] - rows["a"]))}


class Certain:
    def predict(self, rows: Columns) -> Columns:
        return {"score": (rows["a"] > 0).astype(np.float32)}


@pytest.mark.parametrize("count", [0, 1, ROWS_AT_ONCE + 1])
def test_effects_are_the_terms_less_those_of_the_medians(count: int) -> None:
    random = np.random.default_rng(0)
    rows = {name: random.normal(size=count) for name in MEDIANS}
    found = effects(of(Additive()), rows, MEDIANS)[:, :, 0]
    expected = np.column_stack([rows["a"] - 1, -2 * rows["b"] - 4, np.zeros(count)])
    assert found == pytest.approx(expected, abs=1e-5)


def test_certain_scores_have_finite_effects() -> None:
    (effect,) = effects(of(Certain()), {"a": np.array([1.0])}, {"a": -1.0})
    assert np.isfinite(effect).all()
    assert effect[0] > 20


class Interacting:
    """A model in which features act together, as in trees: log-odds 2 a + b + a b - c."""

    def predict(self, rows: Columns) -> Columns:
        log_odds = 2 * rows["a"] + rows["b"] + rows["a"] * rows["b"] - rows["c"]
        return {"score": 1 / (1 + np.exp(-log_odds))}


def shapley(model: Model, rows: Columns, medians: Mapping[str, float]) -> NDArray[np.float64]:
    """Compute exact Shapley values, (rows, features): see Shapley 1953.

    The value of a feature is its mean step over all orders, from the medians to the row.
    """
    score = of(model)
    start = {name: np.full_like(rows[name], median) for name, median in medians.items()}
    total = {name: np.zeros((len(column), 1)) for name, column in start.items()}
    orders = list(permutations(medians))
    for order in orders:
        known = dict(start)
        before = score(known)
        for name in order:
            known[name] = rows[name]
            after = score(known)
            total[name] += after - before
            before = after
    return np.column_stack([*total.values()]) / len(orders)


def test_first_reason_is_mostly_that_of_exact_shapley_values() -> None:
    random = np.random.default_rng(0)
    medians = {"a": 0.0, "b": 0.5, "c": -0.5}
    rows = {name: random.normal(size=200) for name in medians}
    first = np.abs(effects(of(Interacting()), rows, medians)[:, :, 0]).argmax(axis=1)
    exact = np.abs(shapley(Interacting(), rows, medians)).argmax(axis=1)
    assert np.mean(first == exact) > 0.85  # measured: 0.895


class Classifier:
    """A classifier of scikit-learn, fitted on five features, three of which interact."""

    def __init__(self, estimator: Any) -> None:
        random = np.random.default_rng(1)
        inputs = random.normal(size=(2_000, 5))
        a, b, c, d, _ = inputs.T
        labels = 2 * a + b + a * b - np.abs(c) - 0.5 * d + random.logistic(size=len(inputs)) > 0
        self.estimator = estimator.fit(inputs, labels)
        self.medians = dict(zip("abcde", np.median(inputs, axis=0).tolist(), strict=True))

    def predict(self, rows: Columns) -> Columns:
        inputs = np.column_stack([rows[name] for name in self.medians])
        return {"score": self.estimator.predict_proba(inputs)[:, 1]}


def both(classifier: Classifier) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the effects on new rows, and their exact Shapley values: (rows, features) each."""
    random = np.random.default_rng(2)
    rows = {name: random.normal(size=400) for name in classifier.medians}
    found = effects(of(classifier), rows, classifier.medians)[:, :, 0]
    return found, shapley(classifier, rows, classifier.medians)


def test_effects_of_a_linear_model_are_its_shapley_values() -> None:
    found, exact = both(Classifier(LogisticRegression()))
    assert found == pytest.approx(exact, abs=1e-4)


def test_first_reasons_of_boosted_trees_are_mostly_the_exact_ones() -> None:
    boosting = GradientBoostingClassifier(n_estimators=50, max_depth=3, random_state=0)
    found, exact = both(Classifier(boosting))
    ranked = [np.argsort(-np.abs(values), axis=1) for values in (found, exact)]
    assert np.mean(ranked[0][:, 0] == ranked[1][:, 0]) > 0.85  # measured: 0.875
    shared = [len({*one[:3]} & {*two[:3]}) / 3 for one, two in zip(*ranked, strict=True)]
    assert np.mean(shared) > 0.9  # of the first three, in any order; measured: 0.939


def test_strongest_effects_come_first_and_none_is_made_up() -> None:
    effect = np.array([[0.5, -2, 0, 1, 0.1], [0, 0, 3, 0, 0]])
    assert strongest(effect).tolist() == [[1, 3, 0], [2, -1, -1]]
    assert strongest(effect[:, 2:4]).tolist() == [[1, -1, -1], [0, -1, -1]]
    columns = reason_columns(effect, "abcde")
    assert {name: values.tolist() for name, values in columns.items()} == {
        "reason_1": ["b", "c"],
        "reason_2": ["d", ""],
        "reason_3": ["a", ""],
    }
