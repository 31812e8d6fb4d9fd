"""Every use case predicts a logged prediction again, with the same answer to the last digit."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from fastapi.testclient import TestClient

import project_package
from project_package.cli import EntryPoint
from project_package.contract.training import Training
from project_package.errors import UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.debug import debug
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.serving.app import create_app

PACKAGE = project_package.__name__
COUNT = 5
EQUAL = "The answer equals the logged one, to the last digit."


@pytest.fixture
def copy(trained: Path, clone: Callable[[Path], Project], entry: EntryPoint) -> Project:
    """Return a copy of the finished project, to write to, whose console prints."""
    events = resolve_name(f"{PACKAGE}.lifecycle.event_store_access") if entry.history else None
    return replace(clone(trained), events=events, console=Console())


@pytest.fixture
def requests(copy: Project) -> list[dict[str, Any]]:
    """Return requests with all that they need."""
    rows = splits_of(copy, copy.store.load(CHAMPION)[1]).test
    examples = copy.training.examples(copy.workspace.dataset().path, rows, COUNT)
    return [example.model_dump(mode="json") for example in examples]


@pytest.fixture
def log(copy: Project) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(copy.workspace.root / "predictions.db")) as database:
        yield database


def answer(
    project: Project, entry: EntryPoint, requests: list[dict[str, Any]], log_rows: bool
) -> list[str]:
    """Serve the project and answer requests, each alone; return the ids of the predictions."""
    settings = project.settings.model_copy(update={"serve_keys": "off", "log_rows": log_rows})
    make_task = project.training.make_task
    app = create_app(make_task, settings, project.workspace.root, entry.open_events)
    ids = []
    with TestClient(app) as client:
        for request in requests:
            response = client.post("/v1/predict", json={"instances": [request]})
            response.raise_for_status()
            ids += response.json()["prediction_ids"]
    return ids


def test_logged_rows_have_the_same_answers(
    copy: Project,
    entry: EntryPoint,
    requests: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in answer(copy, entry, requests, log_rows=True):
        debug(copy, number)
        printed = capsys.readouterr().out
        assert printed.endswith(f"{EQUAL}\n")
        assert "row, from the prediction log" in printed


def test_request_files_have_the_same_answers(
    copy: Project,
    entry: EntryPoint,
    requests: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = copy.workspace.root / "request.json"
    ids = answer(copy, entry, requests, log_rows=False)
    for number, request in zip(ids, requests, strict=True):
        file.write_text(json.dumps(request))
        debug(copy, number, file)
        printed = capsys.readouterr().out
        assert printed.endswith(f"{EQUAL}\n")
        assert "row, from request.json" in printed
    file.write_text(json.dumps({"instances": requests[-1:], "more": 1}))
    with pytest.raises(UserError, match=r"request\.json: "):
        debug(copy, ids[-1], file)


def test_changed_answer_in_the_log_is_found(
    copy: Project, entry: EntryPoint, requests: list[dict[str, Any]], log: sqlite3.Connection
) -> None:
    (number,) = answer(copy, entry, requests[:1], log_rows=True)
    ((logged,),) = log.execute("SELECT answer FROM predictions").fetchall()
    for name, value in json.loads(logged).items():
        changed = {**json.loads(logged), name: [value]}
        log.execute("UPDATE predictions SET answer = ?", [json.dumps(changed)])
        log.commit()
        with pytest.raises(
            UserError, match=rf"not the logged one: {name} is .*, and was \["
        ) as error:
            debug(copy, number)
        assert error.value.exit_code == 2


def test_stored_events_are_the_history_of_a_request_without(
    copy: Project,
    entry: EntryPoint,
    training: Training,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if copy.events is None:
        pytest.skip("this use case has no history")
    resolve_name(f"{PACKAGE}.lifecycle.backfill:backfill")(copy)
    simulation = training.simulation
    assert simulation is not None
    day = simulation.requests(simulation.day(copy.workspace.dataset().path, 0))[:COUNT]
    file = copy.workspace.root / "request.json"
    capsys.readouterr()
    for number, request in zip(answer(copy, entry, day, log_rows=False), day, strict=True):
        file.write_text(json.dumps(request))
        debug(copy, number, file)
        printed = capsys.readouterr().out
        assert "row, from request.json and the event store, which may have another" in printed
        assert printed.endswith(f"{EQUAL}\n")
