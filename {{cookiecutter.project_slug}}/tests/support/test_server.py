"""Questions over HTTP: answers have sources, and nonsense is refused."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from servers import Server

support = pytest.mark.parametrize("use_case", ["support"], indirect=True, scope="session")
QUESTION = "Is a building permit required for a fence or a plank?"


@support
def test_each_sentence_has_a_source(served: Any) -> None:
    (found,) = served.post("predict", [{"question": QUESTION}])["predictions"]
    assert not found["refused"]
    assert found["answer"] == " ".join(one["text"] for one in found["sentences"])
    for sentence in found["sentences"]:
        (source,) = sentence["passages"]
        assert sentence["text"] in found["passages"][source]["text"]


@support
def test_question_about_something_else_is_refused(served: Any) -> None:
    question = "Who won the world cup in football with Pele?"
    (found,) = served.post("predict", [{"question": question}])["predictions"]
    assert (found["refused"], found["answer"], found["sentences"]) == (True, "", [])
    assert len(found["passages"]) == 5


@support
def test_logged_questions_are_masked(started: Callable[..., Server], tmp_path: Path) -> None:
    server = started(LOG_ROWS="on")
    body = {"instances": [{"question": "Reply to anna@example.com about a fence"}]}
    with httpx2.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
        client.post("/v1/predict", json=body).raise_for_status()
    server.process.terminate()
    server.process.wait()
    with sqlite3.connect(tmp_path / "predictions.db") as log:
        (row,) = log.execute("select row from predictions").fetchone()
    assert "[email]" in row
    assert "anna" not in row


@support
@pytest.mark.parametrize("question", ["", " ?! ", "x" * 2_001])
def test_refuses_empty_and_endless_questions(served: Any, question: str) -> None:
    answer = served.client.post("/v1/predict", json={"instances": [{"question": question}]})
    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"]) == (422, ["body", "instances", 0, "question"])
