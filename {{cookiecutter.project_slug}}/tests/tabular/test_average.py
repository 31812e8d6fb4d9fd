"""Means of candidates are scored on the folds, and are fitted and exported as one model."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from tabular.tables import bundle_of, params, problem, rows

from project_package.bundle import Files
from project_package.columns import Columns, take
from project_package.contract.training import (
    Candidate,
    Choice,
    Fold,
    Metric,
)
from project_package.lifecycle.gate import parity
from project_package.tabular.average import averages
from project_package.tabular.metrics import find_metrics
from project_package.tabular.models import candidates
from project_package.tabular.task import load

ROWS = rows(500)
FOLDS = tuple(
    Fold(take(ROWS, np.arange(first)), take(ROWS, np.arange(first, first + 100)))
    for first in (200, 300)
)
SIMPLE = Choice(
    Candidate("simple", {}, lambda *_: pytest.fail("no part of a mean")), {}, (1.0, 1.0)
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
def test_means_are_scored_on_the_folds(target: str) -> None:
    goal = metric(target)
    means = [*averages(problem(target), 7, FOLDS, goal, scored(target))]
    assert len(means) == 4  # of two and of three candidates
    for mean in means:
        fits = [mean.candidate.fit(fold.train, mean.settings, 7) for fold in FOLDS]
        scores = [goal.score(f.valid, m.predict(f.valid)) for f, m in zip(FOLDS, fits, strict=True)]
        assert scores == pytest.approx(mean.folds)


@dataclass(frozen=True)
class Shifted:
    """A model that errs by one, in a direction of its own for each row."""

    signs: int

    def predict(self, rows: Columns) -> Columns:
        return {"prediction": rows["spent"] + np.resize([self.signs, 1], len(rows["spent"]))}

    def files(self) -> Files:
        return {}


def test_errors_of_different_models_cancel_out() -> None:
    fits = {sign: Candidate(f"{sign}", {}, lambda *_, s=sign: Shifted(s)) for sign in (-1, 1)}
    choices = [SIMPLE, *(Choice(one, {}, (1.0, 1.0)) for one in fits.values())]
    (mean,) = averages(problem("spent"), 7, FOLDS, metric("spent"), choices)
    assert mean.folds == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_mean_is_one_graph_that_predicts_alike(target: str) -> None:
    *_, mean = averages(problem(target), 7, FOLDS, metric(target), [SIMPLE, *scored(target)])
    fitted: Any = mean.candidate.fit(ROWS, mean.settings, 7)
    assert len(fitted.members) == 4
    new = rows(300, seed=1)
    found = parity(load(bundle_of(fitted.files())).predict(new), fitted.predict(new))
    assert found.largest_difference < 1e-5
    assert found.changed_decisions == 0


def test_settings_have_the_names_of_their_candidates() -> None:
    choices = scored("spent")
    *_, mean = averages(problem("spent"), 7, FOLDS, metric("spent"), [SIMPLE, *choices])
    named = {f"{c.candidate.name} {key}": c.settings[key] for c in choices for key in c.settings}
    assert mean.settings == named


def test_one_candidate_is_not_fitted_again() -> None:
    one = Candidate("one", {}, lambda *_: pytest.fail("it has no mean"))
    choices = [SIMPLE, Choice(one, {}, (1.0, 1.0))]
    assert not [*averages(problem("spent"), 7, FOLDS, metric("spent"), choices)]


def test_means_of_models_after_a_linear_one_are_added_and_averaged() -> None:
    choices = [replace(c, settings={**c.settings, "after_linear": True}) for c in scored("spent")]
    *_, mean = averages(problem("spent"), 7, FOLDS, metric("spent"), choices[1:])
    fitted: Any = mean.candidate.fit(ROWS, mean.settings, 7)
    assert [len(member) for member in fitted.members] == [2, 2]
    found = parity(load(bundle_of(fitted.files())).predict(ROWS), fitted.predict(ROWS))
    assert found.largest_difference < 1e-5
