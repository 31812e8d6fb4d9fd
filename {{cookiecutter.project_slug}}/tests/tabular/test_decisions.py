"""Thresholds, weights of classes, intervals and typical values are measured after the fit."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from tabular.tables import params, problem, rows

from project_package.contract.training import Outcome
from project_package.tabular.decide_and_explain import Details
from project_package.tabular.models import (
    candidates,
    finish,
    margins,
    threshold,
    typical,
)
from project_package.tabular.params import Decide

TRAIN = rows(400)


def test_intervals_have_the_errors_of_validation_rows() -> None:
    target = np.repeat([0.0, 5, 9], [200, 60, 40])
    outcome = Outcome({"spent": target}, {"prediction": np.full(300, 6.0)})
    fitted: Any = candidates(problem("spent"))[1].fit(TRAIN, {"alpha": 1.0}, 7)
    details = finish(params(), fitted, TRAIN, outcome).details
    assert (details.below, details.above) == ((6,), (3,))


@pytest.mark.parametrize(("metric", "rare"), [("", 1), ("accuracy", 0)])
def test_rare_classes_weigh_more_where_the_metric_gains(metric: str, rare: int) -> None:
    plan = np.repeat([0, 1, 2], [175, 15, 20])
    chances = np.array([[0.9, 0.05, 0.05]] * 150 + [[0.5, 0.3, 0.2]] * 40 + [[0.1, 0.1, 0.8]] * 20)
    outcome = Outcome({"plan": plan}, {"probabilities": chances.astype(np.float32)})
    fitted: Any = candidates(problem("plan"))[1].fit(TRAIN, {"alpha": 1.0}, 7)
    details = finish(params(metric=metric), fitted, TRAIN, outcome).details
    answers = details.decide(outcome.predictions)
    assert set(answers["prediction"][150:190]) == {rare}
    assert set(answers["prediction"][:150]) == {0}
    assert np.array_equal(answers["probabilities"], outcome.predictions["probabilities"])


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1, 1), (1, 10), (10, 1), (1, 1e6)])
def test_threshold_has_the_least_cost(false_positive: float, false_negative: float) -> None:
    random = np.random.default_rng(0)
    chances = random.random(300).astype(np.float32)
    target = (random.random(300) < chances).astype(np.int64)
    decide = Decide(false_positive=false_positive, false_negative=false_negative)

    def cost(limit: float) -> float:
        flagged = chances >= limit
        wrong = false_positive * np.sum(flagged & (target == 0))
        return float(wrong + false_negative * np.sum(~flagged & (target == 1)))

    found = threshold(target, chances, decide)
    assert cost(found) == min(cost(limit) for limit in (*chances, 2))
    assert np.abs(chances - found).min() > 1e-6  # out of reach of rounding


def test_threshold_flags_nothing_where_alarms_only_cost() -> None:
    decide = Decide(false_positive=100, false_negative=1)
    assert threshold(np.array([0, 1]), np.array([0.9, 0.8]), decide) > 0.9


@pytest.mark.parametrize(("coverage", "count"), list(product((0.5, 0.8, 0.95), (60, 2000))))
def test_intervals_hold_the_wanted_share_of_new_values(coverage: float, count: int) -> None:
    random = np.random.default_rng(0)
    predicted = random.uniform(1, 100, count + 5000)
    target = predicted * (1 + random.normal(0, 0.3, len(predicted)))  # wider for large values
    found = margins(target[:count], predicted[:count], (1 - coverage) / 2)
    details = Details(problem=problem("spent"), typical={}, **found)
    bounds = details.decide({"variable": predicted[count:].astype(np.float32)})
    inside = (target[count:] >= bounds["low"]) & (target[count:] <= bounds["high"])
    assert np.mean(inside) == pytest.approx(coverage, abs=0.06 if count == 60 else 0.03)
    if count == 2000:
        wide = bounds["high"] - bounds["low"]
        large = predicted[count:] > 80
        assert wide[large].mean() > 3 * wide[predicted[count:] < 20].mean()


def test_typical_values_are_medians_and_most_frequent_texts() -> None:
    table = {**rows(5), "paid": np.array([1, np.nan, 3, 9, np.nan]), "active": np.full(5, np.nan)}
    table["class"] = np.array(["plus", "", "", "basic", "plus"], object)
    found = typical(problem(), table)
    assert list(found) == list(problem().features)
    assert (found["paid"], found["active"], found["class"]) == (3, 0, "")
