"""What was answered stands in the log, whatever happens then; names do not."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from project_package.bundle import EXAMPLES
from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.serving.outbox import Log, Outbox
from project_package.serving.record import Record, key_of
from project_package.serving.services import Options
from project_package.model_store import BUNDLE

KEY = b"k" * 32
CLIENTS, KILLED_AFTER = 8, 300
FULL = "PRAGMA max_page_count = 16"  # as much as is there and a little more
SPACE = "PRAGMA max_page_count = 1000000"


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    opened = Record(tmp_path / "predictions.db", KEY)
    yield opened
    opened.close()


@pytest.fixture
def client(multiplying: Any, record: Record) -> Iterator[TestClient]:
    beside = Options(log=Log(record, Outbox(record.path, 1)))
    with TestClient(multiplying.app(beside)) as opened:
        yield opened


def logged(path: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    """Read the view, in the order of writing."""
    with sqlite3.connect(path) as file:
        return file.execute(f"SELECT {columns} FROM predictions").fetchall()  # noqa: S608


def test_each_prediction_has_a_row_with_what_was_told(client: TestClient, record: Record) -> None:
    numbers = [{"x": 2, "name": "a"}, {"x": 3}]
    assert client.post("/v1/predict", json={"instances": numbers}).status_code == 200
    live = {"x": 4, "name": "b", "alone": False}
    assert client.post("/v1/predict", json={"instances": [live]}).status_code == 200
    found = logged(record.path, "version, role, signals, answer, event = ''")
    assert [(*row[:2], *map(json.loads, row[2:4]), row[4]) for row in found] == [
        ("1", "champion", {"x": x, "y": x}, {"y": x}, nameless)
        for x, nameless in ((2, 0), (3, 1), (4, 0))
    ]
    assert len({*logged(record.path, "id")}) == 3
    assert all(time.endswith("Z") for (time,) in logged(record.path, "time"))


def test_what_was_answered_before_is_not_counted_again(client: TestClient, record: Record) -> None:
    number = {"x": 4, "name": "b", "alone": False}
    for _ in range(3):
        client.post("/v1/predict", json={"instances": [number] * 2})
    assert len(logged(record.path)) == 1


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_number_that_is_none_does_not_spoil_the_log(client: TestClient, record: Record) -> None:
    client.post("/v1/predict", json={"instances": [{"x": 1e300}]})  # infinite in the graph
    assert [json.loads(row) for (row,) in logged(record.path, "signals")] == [
        {"x": 1e300, "y": None}
    ]


def test_names_are_hashed_with_the_key(client: TestClient, record: Record, tmp_path: Path) -> None:
    numbers = [{"x": 2, "who": who, "name": "event-7"} for who in ("bob-17", "bob-17", "eve-18")]
    client.post("/v1/predict", json={"instances": numbers})
    bob, bob_too, eve = logged(record.path, "subject")
    assert bob == bob_too != eve
    assert len(bob[0]) == 16
    written = b"".join(path.read_bytes() for path in tmp_path.glob("predictions.db*"))
    assert bob[0].encode() in written
    assert not any(name in written for name in (b"bob-17", b"eve-18", b"event-7"))


def test_the_key_is_made_once_and_is_its_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "log" / "predictions.db"
    assert key_of(file, "") == key_of(file, "") != key_of(tmp_path / "other.db", "")
    assert (file.parent / "predictions.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["predictions.key"]
    assert key_of(file, "given") == key_of(tmp_path / "other.db", "given") != key_of(file, "")


@pytest.mark.parametrize("alone", [True, False])
def test_a_full_disk_lets_nothing_out_that_is_not_logged(
    client: TestClient, record: Record, alone: bool
) -> None:
    def ask(first: int) -> httpx.Response:
        names = [f"{name}" for name in range(first, first + 500)]
        numbers = [{"x": 2, "name": name, "alone": alone} for name in names]
        answer: httpx.Response = client.post("/v1/predict", json={"instances": numbers})
        return answer

    record._file.execute(FULL)
    answers = [ask(first) for first in range(0, 5_000, 500)]
    assert (answers[0].status_code, answers[-1].status_code) == (200, 503)
    assert answers[-1].headers["Retry-After"] == "1"
    assert "disk is full" in answers[-1].json()["detail"]
    record._file.execute(SPACE)
    assert ask(9_000).status_code == 200
    given = 1 + sum(answer.status_code == 200 for answer in answers)
    assert len(logged(record.path)) == 500 * given


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "predictions.db").mkdir()
    with pytest.raises(UserError, match=r"The prediction log .*predictions\.db cannot be opened"):
        Record(tmp_path / "predictions.db", KEY)


def test_a_killed_server_has_logged_all_that_it_answered(project: Project, tmp_path: Path) -> None:
    pairs = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])
    body = {"instances": [pairs[0]["request"]] * 3}
    package, name = Project.__module__.partition(".")[0], project.use_case.api.name
    command = [sys.executable, "-u", "-m", f"{package}.{name}", "serve", "--port", "0"]
    address = {"MODEL_STORE": project.registry.store.address, "SERVE_KEYS": "off"}
    given = list[int]()

    def ask(url: str) -> None:
        with suppress(httpx.TransportError), httpx.Client(base_url=url, timeout=30) as client:
            while client.post("/v1/predict", json=body).status_code == 200:
                given.append(3)

    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **address}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().partition(" on ")[2].partition(";")[0]
        clients = [threading.Thread(target=ask, args=(url,)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        while len(given) < KILLED_AFTER and any(client.is_alive() for client in clients):
            threading.Event().wait(0.01)
        server.send_signal(signal.SIGKILL)
        for client in clients:
            client.join()
    found = len(logged(tmp_path / "predictions.db"))
    assert len(given) >= KILLED_AFTER
    assert sum(given) <= found <= sum(given) + 3 * CLIENTS
