"""The checks of the data pass on a trained project, and fail when what they look at is broken."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from project_package.checklist.checklist import run
from project_package.checklist.data_checks import DATA
from project_package.checklist.subject import Subject
from project_package.cli import EntryPoint
from project_package.columns import Columns, length
from project_package.lifecycle.project import Project

USEFUL = "D2"  # which a model of tiny data can fail
IN_TABULAR = pytest.mark.parametrize("use_case", ["tabular"], indirect=True, scope="session")


@pytest.fixture
def subject(project: Project, entry: EntryPoint, tmp_path: Path) -> Subject:
    return Subject(project, entry.open_events, tmp_path)


def changed(subject: Subject, task: Any = None, **facts: Any) -> Subject:
    """Return a subject with changes of its task, and of what the use case says of features."""
    training = subject.project.training
    other = replace(
        training,
        make_task=lambda bundle: replace(training.make_task(bundle), **task or {}),
        checklist=replace(subject.facts, **facts),
    )
    return replace(subject, project=replace(subject.project, training=other))


def fails(subject: Subject, identifier: str) -> str:
    """Run a check, which must fail; return what it found."""
    row = run(subject, identifier)
    assert not row.passed
    return row.detail


def test_project_passes(subject: Subject) -> None:
    assert [*DATA] == [f"D{number}" for number in range(1, 8)]
    rows = [run(subject, name) for name in DATA if name != USEFUL]
    assert not [f"{row.id} {row.detail}" for row in rows if not row.passed]


@IN_TABULAR
def test_request_without_expectations_fails(subject: Subject) -> None:
    request = type(subject.requests[0])
    loose: Any = type("Loose", (request,), {"model_config": {"extra": "ignore"}})
    bodies = [loose.model_validate(body.model_dump(mode="json")) for body in subject.requests]
    found = fails(changed(subject, requests=lambda *_: bodies), "D1")
    assert "unknown field" in found


@IN_TABULAR
def test_random_column_is_useless(subject: Subject) -> None:
    def ablations(rows: Columns) -> Iterator[tuple[str, Columns]]:
        noise = np.random.default_rng(0).random(length(rows))
        yield "spending", {**rows, "baskets_91d": rows["baskets_91d"][::-1]}
        yield "noise", {**rows, "noise": noise}

    found = fails(changed(subject, ablations=ablations), "D2")
    assert "does not clearly get worse without noise +0 (+0 to +0)" in found


@IN_TABULAR
def test_slow_features_cost_too_much(subject: Subject) -> None:
    promote = subject.project.params.promote.model_copy(update={"max_latency_ms": 0.001})
    params = subject.project.params.model_copy(update={"promote": promote})
    slow = replace(subject, project=replace(subject.project, params=params))
    assert "of a budget of 0.001 ms" in fails(slow, "D3")


@IN_TABULAR
def test_large_columns_cost_too_much(subject: Subject) -> None:
    to_rows = subject.task.to_rows

    def large(requests: Any) -> Columns:
        return {**to_rows(requests), "picture": np.zeros((len(requests), 200_000))}

    found = fails(changed(subject, {"to_rows": large}), "D3")
    assert "the largest column is picture with 1,600,000 bytes a row" in found


@IN_TABULAR
def test_model_that_reads_the_label_fails(subject: Subject) -> None:
    class Leaking:
        def predict(self, rows: Columns) -> Columns:
            return {"prediction": rows["lapsed"]}

    found = fails(changed(subject, {"load": lambda _: Leaking()}), "D4")
    assert "prediction changes with the values of household_id, lapsed" in found


@IN_TABULAR
def test_logged_identifier_fails(subject: Subject) -> None:
    monitored = subject.task.monitored

    def leaking(rows: Columns, predictions: Columns) -> Columns:
        return {**monitored(rows, predictions), "who": rows["household_id"]}

    found = fails(changed(subject, {"monitored": leaking}), "D5")
    assert "has one that was planted" in found


@IN_TABULAR
def test_failing_test_of_a_new_feature_fails(subject: Subject) -> None:
    found = fails(changed(subject, new_feature_test="tabular/tables.py"), "D6")
    assert found == "tests of tests/tabular/tables.py: 0 passed, 0 failed"


@IN_TABULAR
def test_code_that_tests_do_not_run_fails(subject: Subject) -> None:
    modules = ("tabular.problem", "tabular.leaks")
    found = fails(changed(subject, feature_modules=modules), "D7")
    assert "of tabular.leaks" in found
