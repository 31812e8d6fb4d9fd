"""Epochs are shown and logged, and the search ends a bad trial after a few of them."""

from dataclasses import replace
from typing import Any

import cloudpickle
import numpy as np
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState
from plain.use_case import TRAINING, fit_linear

from project_package.columns import Columns
from project_package.contract.training import (
    Candidate,
    Fitted,
    Fold,
    Hyperparameters,
    Metric,
    Report,
    Splits,
    ignore,
)
from project_package.lifecycle.console import Console
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.fits import FOLD_STEPS, WARM_UP
from project_package.lifecycle.project import Project
from project_package.lifecycle.search import Search
from project_package.lifecycle.tracking import read_losses
from project_package.lifecycle.train import train

EPOCHS = 10
SLOW = 0.75  # the level of what learns nothing in its first epoch
ROWS = {"x": np.zeros(1)}
SOURCE = cloudpickle.dumps((lambda *_: Splits({}, (Fold(ROWS, ROWS),) * 2, {}), None, None))
METRIC = Metric("m", "M", lambda _, predictions, __: float(predictions["score"][0]))


class Learner:
    """Learn up to the level `a` in its settings."""

    def __init__(self, level: float) -> None:
        self.level = level

    def predict(self, _: Columns) -> Columns:
        return {"score": np.array([self.level])}

    def files(self) -> dict[str, bytes]:
        return {}


def learn(_: Columns, settings: Hyperparameters, __: int, report: Report = ignore) -> Learner:
    level = float(settings["a"])
    for epoch in range(EPOCHS):
        learned = 0 if (level, epoch) == (SLOW, 0) else (epoch + 1) / EPOCHS
        report(epoch, {"loss": 1 - level, "score": level * learned})
    return Learner(level)


def trials(levels: list[float]) -> list[FrozenTrial]:
    """Search a level after the other, on two folds."""
    found: list[FrozenTrial] = []

    def space(trial: Any) -> Hyperparameters:
        return {"a": trial.suggest_categorical(f"level {trial.number}", [levels[trial.number]])}

    candidate = Candidate("net", {}, learn, space)
    searching = Search(METRIC, SOURCE, 2, 7, len(levels), InMemoryStorage(), "study")
    (choice,) = searching.run([candidate], lambda _, trial: found.append(trial))
    assert choice.settings == {"a": max(levels)}
    return found


def test_bad_trial_is_pruned_after_few_epochs_and_a_good_one_is_not() -> None:
    *_, bad, good = trials([0.5, 0.6, 0.7, 0.8, 0.1, 0.9])
    assert (bad.state, good.state) == (TrialState.PRUNED, TrialState.COMPLETE)
    assert len(bad.user_attrs["epochs"]) == WARM_UP + 1
    assert bad.user_attrs["folds"] == []
    assert [fold for fold, *_ in good.user_attrs["epochs"]] == [0] * EPOCHS + [1] * EPOCHS
    assert good.user_attrs["folds"] == [0.9, 0.9]


def test_slow_start_on_a_later_fold_does_not_prune() -> None:
    *_, slow = trials([0.5, 0.6, 0.7, 0.8, SLOW])
    assert slow.state == TrialState.COMPLETE
    assert slow.user_attrs["folds"] == [SLOW, SLOW]


def test_score_of_a_fold_is_the_step_after_its_epochs() -> None:
    steps = trials([0.5])[0].intermediate_values
    assert steps[FOLD_STEPS - 1] == steps[2 * FOLD_STEPS - 1] == 0.5
    assert steps[FOLD_STEPS] == 0.5 / EPOCHS
    assert len(steps) == 2 * EPOCHS + 2


def test_learning_curves_are_logged_and_shown(copy: Project, capsys: Any) -> None:
    def fit(rows: Columns, settings: Hyperparameters, _: int, report: Report = ignore) -> Fitted:
        for epoch in range(2):
            report(epoch, {"loss": 1 / (epoch + 1), "score": 0.5})
        return fit_linear(rows, settings)

    simple, linear, *_ = TRAINING.candidates
    training = replace(TRAINING, candidates=(simple, replace(linear, name="net", fit=fit)))
    project = replace(copy, training=training, console=Console())
    train(project)
    lines = capsys.readouterr().out.splitlines()
    for name in ("net trial 0, fold 0", "net, fold 0", "net"):
        assert f"{name}, epoch 2: loss 0.5000, score 0.5000" in lines
    client = copy.tracking.client
    version = copy.registry.versions()[0]
    of_run = f"tags.mlflow.parentRunId = '{version.run}'"
    (trial,) = client.search_runs([copy.tracking.experiment], of_run)
    for run, name in (
        (version.run, "epoch.loss"),
        (version.run, "epoch.loss.fold_0"),
        (trial.info.run_id, "epoch.loss.fold_0"),
    ):
        history = client.get_metric_history(run, name)
        assert [(found.step, found.value) for found in history] == [(0, 1.0), (1, 0.5)]
    assert read_losses(client, version.run) == {"training rows": [(1, 1.0), (2, 0.5)]}
    evaluate(project)
    report = (project.workspace.reports / "report.html").read_text()
    assert "How the network learned" in report
