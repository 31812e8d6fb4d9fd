"""Effects by occlusion, against the terms of the log-odds."""

import numpy as np
import pytest

from project_package.contract import Columns
from project_package.fraud.explain import ROWS_AT_ONCE, effects

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
    found = effects(Additive(), rows, MEDIANS)
    expected = np.column_stack([rows["a"] - 1, -2 * rows["b"] - 4, np.zeros(count)])
    assert found == pytest.approx(expected, abs=1e-5)


def test_certain_scores_have_finite_effects() -> None:
    (effect,) = effects(Certain(), {"a": np.array([1.0])}, {"a": -1.0})
    assert np.isfinite(effect).all()
    assert effect[0] > 20


class Product:
    """A model with the log-odds a b."""

    def predict(self, rows: Columns) -> Columns:
        return {"score": 1 / (1 + np.exp(-rows["a"] * rows["b"]))}


def test_each_effect_includes_interactions() -> None:
    rows = {"a": np.array([2.0]), "b": np.array([0.5])}
    assert effects(Product(), rows, {"a": 1.0, "b": 0.0})[0] == pytest.approx([0.5, 1])
