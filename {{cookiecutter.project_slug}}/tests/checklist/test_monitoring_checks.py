"""The checks of monitoring pass on a finished project, and fail when what they check is broken."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain import use_case as plain_use_case
from projects import copy_project, open_project
from pydantic import create_model

from project_package.bundle import EXAMPLES, Bundle
from project_package.checklist.checks import Outcome
from project_package.checklist.monitoring_checks import MONITORING
from project_package.checklist.subject import Subject
from project_package.cli import EntryPoint
from project_package.columns import Columns
from project_package.contract.task import Task
from project_package.lifecycle.performance import PERFORMANCE
from project_package.lifecycle.project import Project
from project_package.model_store import EVIDENCE
from project_package.monitoring.findings import Alarm, Findings
from project_package.params import Monitor

CHANGES = "jobs:\n  test:\n    steps:\n      - run: make refresh\n      - run: make test\n"
MAKEFILE = "refresh: uv  ## x\n\tuv lock --upgrade\n\ntest: uv\n\t$(PYTEST)\n"
ON = "on:\n  schedule:\n    - cron: 0 5 * * 1\n"


@pytest.fixture
def subject(project: Project, entry: EntryPoint, tmp_path: Path) -> Subject:
    return Subject(project, entry.open_events, tmp_path)


def test_all_checks_pass_on_a_finished_project(subject: Subject) -> None:
    found = {name: check(subject) for name, check in MONITORING.items()}
    assert list(found) == ["O1", "O2", "O3", "O4", "O5", "O6", "O7"]
    failed = {name: result.detail for name, result in found.items() if not result.passed}
    failed.pop("O7", "")  # a model of few rows may be hardly better with the right labels
    assert not failed


@pytest.fixture
def plain(plain_root: Path, tmp_path: Path) -> Subject:
    """Return the champion of a copy, to break."""
    copy = open_project(plain_use_case, copy_project(plain_root, tmp_path / "copy"))
    (tmp_path / "written").mkdir()
    return Subject(copy, None, tmp_path / "written")


def with_monitor(subject: Subject, **changes: float) -> Subject:
    """Return a subject with other limits of monitoring."""
    params = subject.project.params.model_copy(update={"monitor": Monitor(**changes)})
    return replace(subject, project=replace(subject.project, params=params))


def with_task(subject: Subject, change: Callable[[Task], dict[str, Any]]) -> Subject:
    """Return a subject whose code has another task."""

    def make_task(bundle: Bundle) -> Task:
        task = plain_use_case.make_task(bundle)
        return replace(task, **change(task))

    training = replace(subject.project.training, make_task=make_task)
    return replace(subject, project=replace(subject.project, training=training))


def assert_fails(name: str, subject: Subject, reason: str) -> None:
    result: Outcome = MONITORING[name](subject)
    assert not result.passed
    assert reason in result.detail


def test_another_version_of_a_library_is_noticed(plain: Subject) -> None:
    assert MONITORING["O1"](plain).passed
    (file,) = plain.project.workspace.root.glob("mlartifacts/**/requirements.txt")
    lines = file.read_text("utf-8").splitlines()
    changed = ["numpy==0.1" if line.startswith("numpy=") else line for line in lines]
    file.write_text("\n".join([*changed, "no-such-library==1"]), "utf-8")
    assert_fails("O1", plain, "numpy 0.1, now")
    assert_fails("O1", plain, "no-such-library 1, now missing")


@pytest.mark.parametrize(
    ("workflow", "reason"),
    [
        (f"on: push\n{CHANGES}", "has no schedule"),
        (ON + CHANGES.replace("make refresh", "make install"), "installs the newest releases"),
        (ON + CHANGES.replace("make test", "make check"), "runs the tests"),
        (f"{ON}{CHANGES}        continue-on-error: true\n", "nobody gets a message"),
        (ON + CHANGES.replace("steps:", "if: github.event_name == 'push'\n    steps:"), "not run"),
    ],
)
def test_a_job_that_finds_no_changes_is_noticed(plain: Subject, workflow: str, reason: str) -> None:
    root = plain.project.workspace.root
    (root / ".github/workflows").mkdir(parents=True)
    (root / "Makefile").write_text(
        "refresh: uv  ## x\n\tuv lock --upgrade\n\ntest: uv\n\t$(PYTEST)\n"
    )
    file = root / ".github/workflows/ci.yml"
    file.write_text(ON + CHANGES, "utf-8")
    assert MONITORING["O1"](plain).passed
    file.write_text(workflow, "utf-8")
    assert_fails("O1", plain, reason)


def test_limits_that_no_value_can_exceed_are_noticed(plain: Subject) -> None:
    assert MONITORING["O2"](plain).passed
    assert_fails("O2", with_monitor(plain, broken=1), "months out of range")


def test_a_server_that_refuses_too_little_is_noticed(plain: Subject) -> None:
    lax = create_model("Lax", __base__=plain_use_case.Customer, months=(Any, ...))
    rows = plain_use_case.make_task(plain.bundle).to_rows

    def to_rows(requests: Any) -> Columns:
        known = [r.months if isinstance(r.months, float) else 0.0 for r in requests]
        strict = [
            plain_use_case.Customer(months=months, bill=request.bill, plan=request.plan)
            for months, request in zip(known, requests, strict=True)
        ]
        return rows(strict)

    changed = with_task(plain, lambda _: {"request": lax, "to_rows": to_rows})
    assert_fails("O2", changed, "not refused")


def test_a_skewed_feature_is_named(plain: Subject) -> None:
    assert MONITORING["O3"](plain).passed

    examples = json.loads(plain.bundle.files[EXAMPLES])  # the server verifies these itself
    known = [example["request"]["bill"] for example in examples]

    def skewed(task: Task) -> dict[str, Any]:
        def to_rows(requests: Any) -> Columns:
            rows = task.to_rows(requests)
            bill = rows["bill"]
            return {**rows, "bill": np.where(np.isin(bill, known), bill, bill * 1.001)}

        return {"to_rows": to_rows}

    assert_fails("O3", with_task(plain, skewed), "bill differs in")


def test_an_old_champion_is_noticed(plain: Subject) -> None:
    assert MONITORING["O4"](plain).passed
    assert_fails("O4", with_monitor(plain, stale_days=1e-9), "older")


def test_numbers_without_limits_are_noticed(plain: Subject) -> None:
    """The plain use case allows any number, and its linear model answers NaN with NaN."""
    assert_fails("O5", plain, 'status 500 of {"months": -1e+308')
    assert_fails("O5", plain, "predictions that are NaN: months, bill")


def test_an_answer_that_costs_more_is_noticed(plain: Subject) -> None:
    client = plain.project.registry.client
    run = plain.version.run
    files = plain.project.registry.files(plain.version, EVIDENCE)
    costs = json.loads(files[PERFORMANCE])
    cheap = json.dumps(costs | {"row": costs["row"] / 100})
    client.log_text(run, cheap, f"{EVIDENCE}/{PERFORMANCE}")
    assert_fails("O6", plain, "is too much")


def test_quality_that_cannot_raise_an_alarm_is_noticed(plain: Subject) -> None:
    assert MONITORING["O7"](plain).passed
    assert_fails("O7", with_monitor(plain, loss=10), "answers to other rows, they raise no alarm")


def test_an_alarm_of_the_last_monitoring_is_noticed(plain: Subject) -> None:
    alarm = Alarm(reason="quality", detail="worse")
    found = Findings(version="1", goal="roc_auc", windows=(), alarms=(alarm,))
    report = plain.project.workspace.reports / "monitor.json"
    report.write_text(found.model_dump_json(), "utf-8")
    assert_fails("O7", plain, "has an alarm about the quality of this version")


def test_answers_without_labels_must_drift_with_rows(subject: Subject) -> None:
    training = subject.project.training
    if training.monitoring is not None or training.simulation is None:
        pytest.skip("something becomes known of these instances")
    harmless = replace(training.simulation, damages={"shift": lambda rows, *_: rows})
    project = replace(subject.project, training=replace(training, simulation=harmless))
    assert_fails("O7", replace(subject, project=project), "they raise no alarm")
