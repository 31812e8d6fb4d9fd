"""debug: what it prints, how it finds a row, and what it refuses; see tests/test_debug.py too."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from project_package.errors import UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.debug import debug
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.serving.app import create_app

CUSTOMER = {"months": 3.0, "bill": 90.5, "plan": "plus"}
ANSWER = "UPDATE predictions SET answer = ?"
ROW = "UPDATE predictions SET row = ?"


@pytest.fixture
def shown(copy: Project) -> Project:
    """Return a copy of the finished project whose console prints, and whose server logs rows."""
    settings = copy.settings.model_copy(update={"serve_keys": "off", "log_rows": True})
    return replace(copy, settings=settings, console=Console())


@pytest.fixture
def logged(shown: Project) -> str:
    """Return the id of a logged prediction."""
    app = create_app(shown.training.make_task, shown.settings, shown.workspace.root)
    with TestClient(app) as client:
        answer = client.post("/v1/predict", json={"instances": [CUSTOMER]}).json()
    (number,) = answer["prediction_ids"]
    return str(number)


def change(project: Project, statement: str, *values: object) -> None:
    """Change the prediction log."""
    with closing(sqlite3.connect(project.workspace.root / "predictions.db")) as log, log:
        log.execute(statement, values)


def write(project: Project, content: str | bytes) -> Path:
    """Write a request file."""
    path = project.workspace.root / "request.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_prints_origin_row_steps_and_answer(
    shown: Project, logged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    debug(shown, logged)
    printed = capsys.readouterr().out
    manifest = shown.store.load(CHAMPION)[1].manifest
    for text in (logged, "champion", manifest.data, manifest.created, "bill", "90.5", "float64"):
        assert text in printed
    assert 'answer: {"probability": ' in printed
    assert printed.endswith("\nThe answer equals the logged one, to the last digit.\n")


@pytest.mark.parametrize("body", [CUSTOMER, {"instances": [CUSTOMER]}], ids=["instance", "body"])
def test_request_file_replaces_a_row_that_is_not_logged(
    shown: Project, logged: str, body: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    change(shown, ROW, None)
    debug(shown, logged, write(shown, json.dumps(body)))
    printed = capsys.readouterr().out
    assert "row, from request.json" in printed
    assert "The answer equals the logged one" in printed


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (0.25, r"probability is 0\.\d+, and was 0\.25\. The log was changed, or the code"),
        ("0.25", r"probability is 0\.\d+, and was '0\.25'\."),
        (None, r"probability is 0\.\d+, and was None\."),
    ],
)
def test_another_answer_in_the_log_is_found(
    shown: Project, logged: str, value: object, sentence: str
) -> None:
    change(shown, ANSWER, json.dumps({"probability": value}))
    with pytest.raises(UserError, match=sentence) as error:
        debug(shown, logged)
    assert error.value.exit_code == 2


def test_a_difference_in_the_last_digits_names_batches(shown: Project, logged: str) -> None:
    change(shown, "UPDATE predictions SET answer = json_replace(answer, '$.probability', "
           "json_extract(answer, '$.probability') * (1 + 1e-9))")  # fmt: skip
    with pytest.raises(UserError, match="other rows of the server's batch"):
        debug(shown, logged)


@pytest.mark.parametrize("answer", [{}, [], {"probability": 1, "more": 2}])
def test_an_answer_with_other_fields_is_found(shown: Project, logged: str, answer: object) -> None:
    change(shown, ANSWER, json.dumps(answer))
    with pytest.raises(UserError, match=r"all of it is {'probability': "):
        debug(shown, logged)


def test_a_request_of_another_answer_is_found(shown: Project, logged: str) -> None:
    change(shown, ROW, None)
    other = write(shown, json.dumps({**CUSTOMER, "months": 50.0}))
    with pytest.raises(UserError, match=r"Compare request\.json with the request that was sent"):
        debug(shown, logged, other)


def test_the_version_that_answered_predicts(shown: Project, logged: str) -> None:
    shown.store.delete_alias(CHAMPION)
    debug(shown, logged)


def test_id_that_is_not_logged_is_refused(shown: Project, logged: str) -> None:
    with pytest.raises(UserError, match=rf"has no {logged}0: .* LOG_DAYS \(90 days\)"):
        debug(shown, f"{logged}0")
    change(shown, "UPDATE predictions SET role = 'shadow'")  # which was no answer
    with pytest.raises(UserError, match=f"has no {logged}: "):
        debug(shown, logged)


def test_row_that_is_nowhere_is_refused(shown: Project, logged: str) -> None:
    change(shown, ROW, None)
    with pytest.raises(UserError, match=rf"`ml debug {logged} request.json`. LOG_ROWS=on logs"):
        debug(shown, logged)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ({"months": 3.0, "plan": "plus"}, "has no column 'bill'"),
        ({**CUSTOMER, "bill": "much"}, "cannot be read: could not convert"),
    ],
)
def test_logged_row_of_other_code_is_refused(
    shown: Project, logged: str, row: object, sentence: str
) -> None:
    change(shown, ROW, json.dumps(row))
    with pytest.raises(UserError, match=f"The logged row {sentence}.*: use the code"):
        debug(shown, logged)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"request\.json must have one instance, as JSON: EOF"),
        (b"\xff", r"request\.json must have one instance, as JSON: "),
        (json.dumps({"instances": [CUSTOMER] * 2}), "must have one instance, as JSON: too many"),
        (json.dumps({"instances": 1}), "must have one instance, as JSON: "),
        (json.dumps({**CUSTOMER, "plan": 3}), r"request\.json: plan: Input should be 'basic'"),
        (json.dumps({**CUSTOMER, "bill": "3"}), r"request\.json: bill: Input should be a valid nu"),
        ("3", r"request\.json: "),
    ],
)
def test_damaged_request_file_is_refused(
    shown: Project, logged: str, content: str | bytes, sentence: str
) -> None:
    change(shown, ROW, None)
    with pytest.raises(UserError, match=sentence):
        debug(shown, logged, write(shown, content))


def test_missing_request_file_is_refused(shown: Project, logged: str) -> None:
    change(shown, ROW, None)
    with pytest.raises(UserError, match=r"cannot be read: No such file"):
        debug(shown, logged, Path("no-such-file.json"))


def test_bundle_that_is_gone_is_named(shown: Project, logged: str) -> None:
    change(shown, "UPDATE predictions SET version = '7'")
    with pytest.raises(UserError, match="has no bundle of version 7"):
        debug(shown, logged)


def test_log_that_is_off_is_refused(shown: Project) -> None:
    settings = shown.settings.model_copy(update={"log_url": SecretStr("off")})
    with pytest.raises(UserError, match="LOG_URL is off"):
        debug(replace(shown, settings=settings), "6f1c09a2b3d4e5f6-0")
