"""What the server leans on goes away and comes back; answers go on where they can."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from project_package import state_sqlite
from project_package.bundle import EXAMPLES
from project_package.lifecycle.project import Project
from project_package.serving import postgres as databases
from project_package.serving.app import create_app
from project_package.serving.door import Door, Limits
from project_package.serving.keys import Ring
from project_package.serving.outbox import Log, Outbox
from project_package.serving.record import LogUnusable, Record
from project_package.serving.services import Options
from project_package.state.base import State
from project_package.model_store import BUNDLE

NOWHERE = "http://127.0.0.1:1"


def ask(url: str, **number: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/predict", json={"instances": [{"x": 2, **number}]})


def test_the_model_store(multiplying: Any, running: Any, until: Any) -> None:
    def ready() -> Any:
        return httpx.get(f"{url}/readyz").json()

    store = Path(multiplying.store.address)
    with running(multiplying.app(Options())) as url:
        away = store.rename(store.with_name("away"))
        store.write_text("in the way")
        until(lambda: "cannot be used" in ready()["unreachable"])
        assert ask(url).json() == {"model_version": "1", "predictions": [{"y": 2}]}
        store.unlink()
        away.rename(store)
        multiplying.publish(2)
        until(lambda: ready()["unreachable"] == "" and ready()["model_version"] == "2")
        assert ask(url).json() == {"model_version": "2", "predictions": [{"y": 4}]}


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a SQLite file, so that nobody else can write."""
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_the_state(multiplying: Any, running: Any, until: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(state_sqlite, "BUSY_SECONDS", 0)
    state = State(multiplying.state, multiplying.api.memory)
    with running(create_app(multiplying.api, multiplying.store, state)) as url:
        with held(multiplying.state):
            refused = ask(url, alone=False, name="a")
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert "The state cannot be used" in refused.json()["detail"]
            assert "The state cannot be used" in httpx.get(f"{url}/readyz").json()["state"]
            assert ask(url).status_code == 200
        until(lambda: httpx.get(f"{url}/readyz").json()["state"] == "")
        assert ask(url, alone=False, name="a").status_code == 200


def test_a_state_that_is_away_is_told_before_anybody_needs_it(
    multiplying: Any, running: Any, until: Any, caplog: Any
) -> None:
    state = State("redis://127.0.0.1:1/0", multiplying.api.memory)
    with running(create_app(multiplying.api, multiplying.store, state)) as url:
        until(lambda: "127.0.0.1:1" in httpx.get(f"{url}/readyz").json()["state"])
        assert ask(url).status_code == 200
        assert 'degraded{what="state"} 1.0' in httpx.get(f"{url}/metrics").text
    assert [r.reason for r in caplog.records if r.message == "state unusable"]


def test_a_log_that_fails_does_not_end_the_look_at_the_state(
    multiplying: Any, running: Any, until: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    record = Record(tmp_path / "predictions.db", b"key")
    monkeypatch.setattr(record, "write", broken)
    monkeypatch.setattr(state_sqlite, "BUSY_SECONDS", 0)
    log = Log(record, Outbox(record.path, 1))
    app = multiplying.app(Options(log=log, follow_seconds=0.001))
    with running(app) as url:
        answers = [ask(url, alone=False, name=f"{n}").status_code for n in range(30)]
        with held(multiplying.state):
            until(lambda: httpx.get(f"{url}/readyz").json()["state"])
        until(lambda: httpx.get(f"{url}/readyz").json()["state"] == "")
    assert set(answers) == {503}


def test_where_keys_are_asked_for_nobody_else_learns_an_address(
    multiplying: Any, running: Any, until: Any, tmp_path: Path
) -> None:
    state = State("redis://127.0.0.1:1/0", multiplying.api.memory)
    options = Options(door=Door(Ring(tmp_path / "keys.json"), Limits()))
    with running(create_app(multiplying.api, multiplying.store, state, options)) as url:
        until(lambda: httpx.get(f"{url}/readyz").json()["state"])
        assert "127.0.0.1" not in httpx.get(f"{url}/readyz").text


def broken(_: Any) -> None:
    raise LogUnusable("Predictions cannot be logged: worn out.")


def test_the_prediction_log(multiplying: Any, running: Any, tmp_path: Path) -> None:
    record = Record(path := tmp_path / "predictions.db", b"key")
    record._file.execute("PRAGMA busy_timeout = 1")
    log = Log(record, Outbox(path, 9))
    with running(multiplying.app(Options(log=log))) as url:
        with held(path):
            for number in ({}, {"alone": False, "name": "a"}):
                refused = ask(url, **number)
                assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert ask(url, alone=False, name="a").status_code == 200  # the state kept no answer
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT count(*) FROM predictions").fetchone() == (1,)


def test_postgresql(
    multiplying: Any, running: Any, until: Any, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "ANSWER_MS", 100)
    path, archive = multiplying.state.with_name("predictions.db"), databases.Postgres(postgres)
    archive.forget(before=0)
    log = Log(Record(path, b"key"), outbox := Outbox(path, 9, archive))
    with psycopg.connect(postgres) as database:
        with running(multiplying.app(Options(log=log))) as url:
            database.execute("LOCK TABLE prediction_batches")
            assert ask(url).status_code == ask(url).status_code == 200
            until(lambda: outbox.waiting == 2)
            assert "PostgreSQL cannot be used" in httpx.get(f"{url}/readyz").json()["log"]
            database.commit()
            until(lambda: outbox.waiting == 0)
            assert httpx.get(f"{url}/readyz").json()["log"] == ""
        found = database.execute("SELECT count(*), count(DISTINCT id) FROM predictions").fetchone()
        database.execute("DROP TABLE prediction_batches CASCADE")
    assert found == (2, 2)


def test_mlflow(project: Project, tmp_path: Path) -> None:
    request = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])[0]["request"]
    package, name = Project.__module__.partition(".")[0], project.use_case.api.name
    command = [sys.executable, "-u", "-m", f"{package}.{name}", "serve", "--port", "0"]
    away = {"MODEL_STORE": project.registry.store.address, "MLFLOW_TRACKING_URI": NOWHERE}
    away["SERVE_KEYS"] = "off"
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **away}, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().partition(" on ")[2].partition(";")[0]
        answer = httpx.post(f"{url}/v1/predict", json={"instances": [request]}, timeout=30)
        server.terminate()
    assert answer.status_code == 200
