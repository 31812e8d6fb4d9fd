"""A quantised model is taken when it is smaller and faster, and loses little on validation rows."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from plain.use_case import TRAINING, WEIGHTS, Linear

from project_package.bundle import Bundle, Interval
from project_package.columns import Columns, length
from project_package.contract.checks import Checks
from project_package.contract.training import Fitted, Outcome
from project_package.lifecycle.choose_quantised import choose, decide_quantisation
from project_package.lifecycle.console import Console
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.lifecycle.train import train

LIMIT = 0.01


def rounded(model: Linear, _: Columns) -> Linear:
    return Linear(round(model.intercept, 3), [round(weight, 4) for weight in model.weights])


def destroyed(model: Linear, _: Columns) -> Linear:
    return Linear(0.0, [0.0 for _ in model.weights])


def unchanged(model: Linear, _: Columns) -> Linear:
    return model


@dataclass(frozen=True)
class Watched(Project):
    """A project that calls a function with bundle and rows before each prediction."""

    before: Callable[[Bundle, Columns], object] = lambda *_: None

    def load(self, bundle: Bundle) -> Any:
        model = super().load(bundle)

        def predict(rows: Columns) -> Columns:
            self.before(bundle, rows)
            return model.predict(rows)

        return SimpleNamespace(predict=predict)


def watched(project: Project, before: Callable[[Bundle, Columns], object], **changes: Any) -> Any:
    """Return a project that is watched, with changes."""
    values = {field.name: getattr(project, field.name) for field in fields(project)}
    return Watched(**{**values, **changes}, before=before)


def work_by_size(bundle: Bundle, _: Columns) -> None:
    """Take longer the more bytes a bundle has."""
    sum(range(300 * len(bundle.files.get(WEIGHTS, b""))))


def trained(project: Project, quantise: Callable[..., Fitted], **changes: Any) -> Bundle:
    """Train a linear model that can be quantised; return its bundle."""
    simple, linear, *_ = TRAINING.candidates
    candidates = (simple, replace(linear, quantise=quantise))
    training = replace(TRAINING, candidates=candidates, **changes)
    train(watched(project, work_by_size, training=training, console=Console()))
    return project_bundle(project)


def project_bundle(project: Project) -> Bundle:
    """Return the bundle of version 1, which has the same settings and rows."""
    return project.registry.bundle(project.registry.versions()[0])


def test_model_that_loses_little_is_taken(copy: Project, capsys: Any) -> None:
    plain = project_bundle(copy)
    bundle = trained(copy, rounded)
    found = bundle.manifest.quantisation
    assert found
    assert found.taken
    assert found.gain.low <= found.gain.estimate <= found.gain.high
    assert found.gain.low >= -LIMIT
    assert found.limit == LIMIT
    assert found.megabytes[1] < found.megabytes[0]
    assert min(found.milliseconds) > 0
    assert len(bundle.files[WEIGHTS]) < len(plain.files[WEIGHTS])
    assert bundle.manifest.parity
    assert found.reason in capsys.readouterr().out
    evaluate(copy)
    for name in ("report.html", "card.md"):
        assert found.reason in (copy.workspace.reports / name).read_text("utf-8")


@pytest.mark.parametrize("quantise", [destroyed, unchanged])
def test_model_that_loses_much_or_saves_nothing_is_refused(copy: Project, quantise: Any) -> None:
    plain = project_bundle(copy)
    bundle = trained(copy, quantise)
    found = bundle.manifest.quantisation
    assert found
    assert not found.taken
    assert (found.gain.low < -LIMIT) == (quantise is destroyed)
    assert found.reason.startswith("The quantised model is not taken: ")
    assert bundle.files[WEIGHTS] == plain.files[WEIGHTS]


@pytest.mark.parametrize(
    ("low", "megabytes", "milliseconds", "is_taken"),
    [
        (-LIMIT, 1.9, 0.9, True),
        (-LIMIT - 1e-9, 1.9, 0.9, False),
        (0.1, 2.0, 0.9, False),
        (0.1, 1.9, 0.91, False),
    ],
)
def test_limit_of_the_loss_size_and_time_decide(
    copy: Project, low: float, megabytes: float, milliseconds: float, is_taken: bool
) -> None:
    gain = Interval(0.0, low, 0.2)
    found = decide_quantisation(copy, gain, (2.0, megabytes), (1.0, milliseconds))
    assert found.taken == is_taken


def test_times_one_row_as_often_as_the_checks_say(copy: Project) -> None:
    predicted: list[int] = []
    training = replace(TRAINING, checks=Checks(latency_calls=7))
    project = watched(copy, lambda _, rows: predicted.append(length(rows)), training=training)
    bundle = project_bundle(copy)
    rows = splits_of(copy, bundle).test
    outcome = Outcome(rows, copy.load(bundle).predict(rows))
    choose(project, (bundle, outcome), (bundle, outcome))
    assert predicted == [1] * 14  # of both bundles


def test_every_fold_is_quantised_and_finish_sees_what_is_served(copy: Project) -> None:
    calibrated: list[int] = []
    outcomes: list[Outcome] = []

    def quantise(model: Linear, rows: Columns) -> Linear:
        calibrated.append(length(rows))
        return rounded(model, rows)

    def finish(_: Any, fitted: Fitted, __: Columns, validation: Outcome) -> Fitted:
        outcomes.append(validation)
        return fitted

    trained(copy, quantise, finish=finish)
    assert calibrated == [300, 300]  # the fold, then all training rows
    _, full, small = (outcome.predictions["probability"] for outcome in outcomes)
    assert 0 < np.abs(full - small).max() < 0.01
