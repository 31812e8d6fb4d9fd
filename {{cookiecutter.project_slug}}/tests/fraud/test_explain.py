"""Effects by occlusion against exact Shapley values."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from project_package.contract import Columns
from project_package.fraud.explain import effects

NAMES = ("a", "b", "c", "d", "e")


class Scores:
    """A fitted classifier of scikit-learn as a model of scores."""

    def __init__(self, model: LogisticRegression | HistGradientBoostingClassifier) -> None:
        random = np.random.default_rng(0)
        self.rows = random.normal(size=(1_000, len(NAMES)))
        signal = 2 * self.rows[:, 0] - self.rows[:, 1] + self.rows[:, 2] * self.rows[:, 3]
        self.model = model.fit(self.rows, signal + random.normal(size=1_000) > 0)

    def predict(self, rows: Columns) -> Columns:
        stacked = np.column_stack([rows[name] for name in NAMES])
        return {"score": self.model.predict_proba(stacked)[:, 1]}


def occlusion(model: Scores, rows: NDArray[np.float64]) -> NDArray[np.float32]:
    medians = dict(zip(NAMES, np.median(model.rows, axis=0).tolist(), strict=True))
    return effects(model, dict(zip(NAMES, rows.T, strict=True)), medians)


def shapley(model: Scores, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average what a feature adds over all subsets of the others; absent ones are medians."""
    medians, count = np.median(model.rows, axis=0), len(NAMES)

    def log_odds(present: tuple[int, ...]) -> NDArray[np.float64]:
        mixed = np.where(np.isin(np.arange(count), present), rows, medians)
        score = model.predict(dict(zip(NAMES, mixed.T, strict=True)))["score"]
        odds: NDArray[np.float64] = np.log(score / (1 - score))
        return odds

    values = np.zeros(rows.shape)
    for feature in range(count):
        others = [index for index in range(count) if index != feature]
        for size in range(count):
            for subset in combinations(others, size):
                added = log_odds((*subset, feature)) - log_odds(subset)
                values[:, feature] += added / (count * comb(count - 1, size))
    return values


def test_effects_of_an_additive_model_are_shapley_values() -> None:
    model = Scores(LogisticRegression())
    rows = model.rows[:100]
    assert occlusion(model, rows) == pytest.approx(shapley(model, rows), abs=1e-5)


def test_top_reason_of_a_boosting_is_that_of_shapley() -> None:
    model = Scores(HistGradientBoostingClassifier(max_iter=30, max_depth=3, random_state=0))
    rows = model.rows[:300]
    top = np.abs(occlusion(model, rows)).argmax(axis=1)
    same = np.mean(top == np.abs(shapley(model, rows)).argmax(axis=1))
    assert same > 0.85  # measured: 0.92


def test_a_feature_that_the_model_ignores_has_no_effect() -> None:
    model = Scores(LogisticRegression())
    model.model.coef_[0, 4] = 0
    assert not occlusion(model, model.rows[:10])[:, 4].any()


def test_certain_scores_have_finite_effects() -> None:
    class Certain:
        def predict(self, rows: Columns) -> Columns:
            return {"score": (rows["a"] > 0).astype(np.float32)}

    (effect,) = effects(Certain(), {"a": np.array([1.0])}, {"a": -1.0})
    assert np.isfinite(effect).all()
    assert effect[0] > 20


def test_many_rows_are_explained_as_one_by_one() -> None:
    model = Scores(LogisticRegression())
    rows = np.tile(model.rows, (5, 1))
    assert np.array_equal(occlusion(model, rows)[:1_000], occlusion(model, model.rows))
    assert np.array_equal(occlusion(model, rows)[-1_000:], occlusion(model, model.rows))
