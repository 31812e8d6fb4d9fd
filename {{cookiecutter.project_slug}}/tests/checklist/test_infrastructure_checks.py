"""The checks of the infrastructure pass on a trained project, and fail on what they look for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain import use_case as plain
from projects import copy_project, open_project

from project_package.bundle import EXAMPLES, Bundle
from project_package.checklist.checklist import run
from project_package.checklist.checks import Row
from project_package.checklist.infrastructure_checks import INFRASTRUCTURE
from project_package.checklist.subject import Subject
from project_package.cli import EntryPoint
from project_package.columns import Columns, length
from project_package.contract.task import Model, Task
from project_package.lifecycle.project import Project


@pytest.fixture
def subject(plain_root: Path, tmp_path: Path) -> Subject:
    (tmp_path / "checks").mkdir()
    project = open_project(plain, copy_project(plain_root, tmp_path / "copy"))
    return Subject(project, None, tmp_path / "checks")


def outcome(subject: Subject, name: str) -> Row:
    return run(subject, name)


def with_bundle(subject: Subject, change: Callable[[Bundle], Bundle]) -> Subject:
    """Return the subject with another bundle of the champion."""
    bundle = change(subject.bundle)
    vars(subject)["predicted"] = replace(subject.predicted, bundle=bundle)
    return subject


def loading(subject: Subject, wrap: Callable[[Any], Model]) -> Subject:
    """Return the subject with models that are wrapped when they are loaded."""

    def make_task(bundle: Bundle) -> Task:
        task = plain.make_task(bundle)
        return replace(task, load=lambda bundle: wrap(task.load(bundle)))

    training = replace(subject.project.training, make_task=make_task)
    return replace(subject, project=replace(subject.project, training=training))


def unanswered(bundle: Bundle) -> Bundle:
    """Return the bundle with examples whose answers nobody compares."""
    return replace(bundle, files={**bundle.files, EXAMPLES: b"[]"})


def test_all_pass_on_a_trained_project(project: Project, entry: EntryPoint, tmp_path: Path) -> None:
    subject = Subject(project, entry.open_events, tmp_path)
    files = {path for path in project.workspace.root.rglob("*") if path.is_file()}
    rows = [run(subject, name) for name in INFRASTRUCTURE]
    assert [row.id for row in rows] == [f"I{number}" for number in range(1, 8)]
    assert {row.id: row.detail for row in rows if not row.passed} == {}
    has_network = (project.workspace.root / "checkpoints").exists()
    assert ("stopped and continued" in rows[1].detail) is has_network  # though I1 trained it before
    assert {path for path in project.workspace.root.rglob("*") if path.is_file()} == files


def test_champion_of_other_settings_is_not_reproduced(subject: Subject) -> None:
    assert outcome(subject, "I1").passed

    def change(bundle: Bundle) -> Bundle:
        return replace(bundle, manifest=bundle.manifest.model_copy(update={"settings": other}))

    other = {"inputs": 2}
    subject = replace(subject, folder=subject.folder / "other")
    subject.folder.mkdir()
    row = outcome(with_bundle(subject, change), "I1")
    assert not row.passed
    assert "other files: examples.json, reference.json, weights.json" in row.detail


def test_model_that_cannot_learn_a_batch_fails(subject: Subject) -> None:
    splits = subject.predicted.splits
    shuffled = np.random.default_rng(0).permutation(splits.train["left"])
    train = {**splits.train, "left": shuffled}
    vars(subject)["predicted"] = replace(subject.predicted, splits=replace(splits, train=train))
    row = outcome(subject, "I2")
    assert not row.passed
    assert "fitted on 300 rows, linear gains 0." in row.detail


def test_search_that_lost_its_trials_fails(subject: Subject) -> None:
    (subject.project.workspace.root / "optuna.db").unlink()
    row = outcome(subject, "I2")
    assert not row.passed
    assert row.detail.startswith("The search does not continue from the stored trials")


def test_pipeline_without_parameters_fails(subject: Subject) -> None:
    row = outcome(subject, "I3")  # the tests have no tiny parameters of this use case
    assert not row.passed
    assert "params.toml" in row.detail


def test_server_that_cannot_compare_examples_fails(subject: Subject) -> None:
    row = outcome(with_bundle(subject, unanswered), "I4")
    assert not row.passed
    assert row.detail.endswith("the server says: nothing")


def test_answer_that_changes_in_the_last_digit_fails(subject: Subject) -> None:
    calls = count()

    @dataclass
    class Drifting:
        model: Model

        def predict(self, rows: Columns) -> Columns:
            return {n: v + 1e-9 * next(calls) for n, v in self.model.predict(rows).items()}

    assert outcome(subject, "I5").passed
    subject = replace(loading(subject, Drifting), folder=subject.folder / "drifting")
    subject.folder.mkdir()
    row = outcome(subject, "I5")
    assert not row.passed
    assert "The answer is not the logged one" in row.detail


def test_canary_that_serves_a_broken_challenger_fails(subject: Subject) -> None:
    row = outcome(with_bundle(subject, unanswered), "I6")
    assert not row.passed
    assert not row.detail.endswith(" 0%")


def test_request_that_fails_in_a_rollback_fails(subject: Subject) -> None:
    @dataclass
    class Fragile:
        model: Model

        def predict(self, rows: Columns) -> Columns:
            if length(rows) == 1:
                raise ValueError
            return self.model.predict(rows)

    row = outcome(loading(subject, Fragile), "I7")
    assert not row.passed
    assert "versions 2, then 1 answered" in row.detail
