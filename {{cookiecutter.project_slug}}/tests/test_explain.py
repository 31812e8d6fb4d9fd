"""Effects by occlusion, against terms of a sum and exact Shapley values."""

from collections.abc import Callable, Mapping
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from project_package.columns import Columns
from project_package.contract.task import Model
from project_package.explain import ROWS_AT_ONCE, effects, log_odds


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


def shapley(model: Model, row: Mapping[str, float], medians: Mapping[str, float]) -> list[float]:
    """Compute exact Shapley values: the mean step of a feature over all orders (Shapley 1953)."""
    total = dict.fromkeys(medians, 0.0)
    orders = list(permutations(medians))
    for order in orders:
        known = dict(medians)
        for name in order:
            steps = []
            for value in (known[name], row[name]):
                known[name] = value
                rows = {key: np.array([number]) for key, number in known.items()}
                score = float(model.predict(rows)["score"][0])
                steps.append(np.log(score / (1 - score)))
            total[name] += steps[1] - steps[0]
    return [value / len(orders) for value in total.values()]


def test_first_reason_is_mostly_that_of_exact_shapley_values() -> None:
    random = np.random.default_rng(0)
    medians = {"a": 0.0, "b": 0.5, "c": -0.5}
    rows = {name: random.normal(size=200) for name in medians}
    first = np.abs(effects(of(Interacting()), rows, medians)[:, :, 0]).argmax(axis=1)
    exact = [
        np.abs(shapley(Interacting(), {n: float(rows[n][i]) for n in medians}, medians)).argmax()
        for i in range(200)
    ]
    assert np.mean(first == exact) > 0.85  # measured: 0.895
