"""The settings of estimators that a search tries: their space, losses and variants."""

from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import FixedTrial
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from tabular.tables import problem

from project_package.contract.training import Candidate, Hyperparameters
from project_package.tabular.estimators import ESTIMATORS, Estimator
from project_package.tabular.models import candidates


@pytest.mark.parametrize("estimator", [e for e in ESTIMATORS if e.space], ids=lambda e: e.name)
def test_space_holds_the_start(estimator: Estimator) -> None:
    assert estimator.space
    trial: Any = FixedTrial(dict(estimator.start))
    assert estimator.space(trial) == estimator.start


def tried(
    one: Candidate, count: int, killed: int = 0, storage: str | None = None
) -> list[Hyperparameters]:
    """Return the settings that a search tries, those after a linear model the best.

    The first `killed` trials do not end.
    """
    study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(0))
    study.enqueue_trial(dict(one.start))
    for number in range(killed + count):
        trial = study.ask()
        assert one.space
        settings = one.space(trial)
        trial.set_user_attr("settings", settings)
        if number >= killed:
            study.tell(trial, float("after_linear" not in settings) + len(settings) / 100)
    return [trial.user_attrs["settings"] for trial in study.trials[killed:]]


@pytest.mark.parametrize("killed", [0, 1, 5])
@pytest.mark.parametrize(
    ("absolute", "variants"),
    [
        (True, {(True, False), (False, False), (True, True), (False, True)}),
        (False, {(False, False), (False, True)}),
    ],
)
@pytest.mark.parametrize("name", ["hist_gradient_boosting", "xgboost"])
def test_variants_are_tried_with_the_best_start(
    name: str, absolute: bool, variants: set[tuple[bool, bool]], killed: int
) -> None:
    one = next(c for c in candidates(problem("spent"), absolute) if c.name == name)
    portfolio = next(e for e in ESTIMATORS if e.name == name).portfolio
    loss = "loss" if name == "hist_gradient_boosting" else "objective"
    found = np.array(tried(one, 9, killed))
    starts, first, after = np.split(found, [3, 2 + len(variants)])
    assert sorted(map(str, starts)) == sorted(str({**one.start, **c}) for c in ({}, *portfolio))
    assert {(loss in f, "after_linear" in f) for f in (starts[0], *first)} == variants
    assert len({f["learning_rate"] for f in first}) == 1
    assert {(loss in f, "after_linear" in f) for f in after} == {(False, True)}
    assert len({str(f) for f in after}) == len(after)


def test_settings_that_a_study_stores_otherwise_are_tried_once() -> None:
    start: Any = {"hidden_layer_sizes": (20,)}
    added = Estimator("added", MLPClassifier, MLPRegressor, start)
    added = replace(added, space=lambda trial: {"alpha": trial.suggest_float("alpha", 0.1, 0.2)})
    one = candidates(problem("left"), estimators=(added,))[0]
    found = tried(one, 4, storage="sqlite:///:memory:")
    assert ["hidden_layer_sizes" in settings for settings in found] == [True, False, False, False]


def test_search_space_may_have_more_than_the_start() -> None:
    added = Estimator(
        "added",
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
        {"max_iter": 20},
        lambda trial: {
            "max_iter": trial.suggest_int("max_iter", 10, 30),
            "max_bins": trial.suggest_int("max_bins", 20, 200),
        },
        "raw",
    )
    found = tried(candidates(problem("spent"), estimators=(added,))[0], 6)
    assert len({f["max_bins"] for f in found[2:]}) == 4


def test_absolute_loss_of_any_estimator_is_tried() -> None:
    added = Estimator("added", RandomForestClassifier, RandomForestRegressor, {"n_estimators": 5})
    added = replace(added, absolute={"criterion": "absolute_error"})
    found = candidates(problem("spent"), absolute=True, estimators=(*ESTIMATORS, added))
    assert found[-1].start == {"n_estimators": 5, "criterion": "absolute_error"}


def test_classes_have_no_variants() -> None:
    for one in candidates(problem("left"))[1:]:
        assert all(settings.keys() == one.start.keys() for settings in tried(one, 3))
