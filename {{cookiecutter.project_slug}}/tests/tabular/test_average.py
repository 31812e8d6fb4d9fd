"""The mean of trials is chosen by their mean on the folds, and is fitted and exported as one."""

from typing import Any

import numpy as np
import pytest
from tabular.tables import bundle_of, params, problem, rows

from project_package.columns import Columns, take
from project_package.contract.training import Choice, Fold, Metric
from project_package.lifecycle.gate import parity
from project_package.tabular.average import average
from project_package.tabular.metrics import find_metrics
from project_package.tabular.models import candidates
from project_package.tabular.task import load

ROWS = rows(500)
FOLDS = tuple(
    Fold(take(ROWS, np.arange(first)), take(ROWS, np.arange(first, first + 100)))
    for first in (200, 300)
)


def metric(target: str) -> Metric:
    """Return a metric of the search."""
    name = {"left": "average_precision", "plan": "log_loss", "spent": "mae"}[target]
    return find_metrics(problem(target), params(metric=name))[0]


def scored(target: str) -> list[Choice]:
    """Score the candidates of a target."""
    found = []
    for one in candidates(problem(target)):
        fits = [one.fit(fold.train, one.start, 7).predict(fold.valid) for fold in FOLDS]
        scores = [metric(target).score(f.valid, p) for f, p in zip(FOLDS, fits, strict=True)]
        found.append(Choice(one, one.start, tuple(scores)))
    return found


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_mean_is_better_on_the_folds_and_scored_there(target: str) -> None:
    choices = scored(target)
    goal = metric(target)
    (mean,) = average(problem(target), 7, FOLDS, goal, choices)
    assert goal.gain(mean.score, max(choices, key=lambda t: goal.gain(t.score, 0)).score) > 0
    fits = [mean.candidate.fit(fold.train, mean.settings, 7) for fold in FOLDS]
    scores = [goal.score(f.valid, m.predict(f.valid)) for f, m in zip(FOLDS, fits, strict=True)]
    assert scores == pytest.approx(mean.folds)


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_mean_is_one_graph_that_predicts_alike(target: str) -> None:
    (mean,) = average(problem(target), 7, FOLDS, metric(target), scored(target))
    fitted: Any = mean.candidate.fit(ROWS, mean.settings, 7)
    assert len(fitted.members) > 1
    assert sum(member.weight for member in fitted.members) == pytest.approx(1)
    new = rows(300, seed=1)
    found = parity(load(bundle_of(fitted.files())).predict(new), fitted.predict(new))
    assert found.largest_difference < 1e-5
    assert found.changed_decisions == 0


def test_settings_are_those_of_the_candidates_with_their_weights() -> None:
    choices = scored("spent")
    (mean,) = average(problem("spent"), 7, FOLDS, metric("spent"), choices)
    weights = {k.removesuffix(" weight"): v for k, v in mean.settings.items() if " weight" in k}
    assert sum(map(float, weights.values())) == pytest.approx(1, abs=0.01)
    for trial in choices:
        named = {f"{trial.candidate.name} {key}" for key in trial.settings}
        assert (named <= mean.settings.keys()) is (trial.candidate.name in weights)


def test_no_mean_where_one_trial_is_best_alone() -> None:
    exact: Columns = {**ROWS, "spent": 3 * ROWS["家"]}
    folds = tuple(
        Fold(take(exact, np.arange(n)), take(exact, np.arange(n, n + 100))) for n in (200, 300)
    )
    one, other = (c for c in candidates(problem("spent")) if c.name in ("decision_tree", "linear"))
    choices = [Choice(one, one.start, (9.0, 9.0)), Choice(other, {"alpha": 1e-6}, (0.0, 0.0))]
    assert average(problem("spent"), 7, folds, metric("spent"), choices) == []
