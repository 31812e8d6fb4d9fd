"""Predictions are written in the background, whatever happens to the database."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psycopg
import pytest
from databases import stopped
from servers import wait_until

from project_package.prediction_log import PredictionLog
from project_package.serving.log_writer import LogWriter
from project_package.serving.prometheus import Metrics

KEY = b"k" * 32
ROWS = "SELECT version, role, event, entity, monitored, answer FROM predictions ORDER BY id"
IDS = "SELECT prediction FROM predictions ORDER BY id"
TABLE = "SELECT to_regclass('predictions') IS NOT NULL"


def answered(*customers: str, x: float = 0.5, entity: str = "customer") -> Any:
    """Return what version 3 answered to these customers: a score that is x."""
    events = np.array([f"event-{number}" for number in range(len(customers))], object)
    task = SimpleNamespace(id=("event",), entity=entity, logged=lambda rows: rows)
    return SimpleNamespace(
        served=SimpleNamespace(version="3", task=task),
        rows={"event": events, "customer": np.array(customers, object)},
        predictions={},
        ids=[f"p-{number}" for number in range(len(customers))],
        monitored={"x": np.full(len(customers), x), "kind": np.full(len(customers), "é")},
        responses=[json.dumps({"score": x})] * len(customers),
    )


def run(file: Path, statement: str = ROWS) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        return database.execute(statement).fetchall()


def open_writer(url: str, days: float = 90, metrics: Metrics | None = None) -> LogWriter:
    writer = LogWriter(PredictionLog(url, KEY, days), metrics or Metrics())
    writer.start()
    return writer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "predictions.db"


@pytest.fixture
def log(file: Path) -> Iterator[LogWriter]:
    opened = open_writer(f"sqlite:///{file}")
    yield opened
    opened.close()


def test_each_prediction_is_a_row(log: LogWriter, file: Path) -> None:
    log.write(answered("ann", "bob"), "champion")
    log.write(answered("ann", x=float("inf")), "shadow")
    log.close()
    rows = run(file)
    assert [row[:2] for row in rows] == [("3", "champion")] * 2 + [("3", "shadow")]
    monitored = [json.loads(row[4]) for row in rows]
    assert monitored == [{"x": 0.5, "kind": "é"}] * 2 + [{"x": None, "kind": "é"}]
    assert json.loads(rows[0][5]) == {"score": 0.5}
    assert [row[0] for row in run(file, IDS)] == ["p-0", "p-1", "p-0"]


def test_rows_are_logged_on_demand(file: Path) -> None:
    for with_rows in (False, True):
        log = LogWriter(PredictionLog(f"sqlite:///{file}", KEY, 90), Metrics(), with_rows)
        log.start()
        log.write(answered("ann"), "champion")
        log.close()
    rows = [row for (row,) in run(file, "SELECT row FROM predictions ORDER BY id")]
    assert rows[0] is None
    assert json.loads(rows[1]) == {"event": "event-0", "customer": "ann"}


def test_answers_that_do_not_fit_are_dropped_alone(log: LogWriter, file: Path) -> None:
    broken = answered("ann")
    broken.monitored["x"] = np.zeros(2)  # of another length
    nothing = answered("bob")
    nothing.monitored = {}
    for one in (broken, nothing, answered("cat")):
        log.write(one, "champion")
    log.close()
    assert [row[4] for row in run(file)] == ["{}", '{"x":0.5,"kind":"é"}']


def test_identifiers_are_keyed_hashes(log: LogWriter, file: Path) -> None:
    log.write(answered("ann-17", "ann-17", "bob-18", ""), "champion")
    log.write(answered("ann-17", entity=""), "champion")
    log.close()
    one, same, other, empty, none = (row[3] for row in run(file))
    assert one == same != other
    assert (len(one), empty, none) == (16, "", "")
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert not any(name in written for name in (b"ann-17", b"bob-18", b"event-"))


def test_deletes_old_predictions(file: Path) -> None:
    for days, remaining in ((90, 1), (9, 0)):
        log = open_writer(f"sqlite:///{file}", days)
        if remaining:
            log.write(answered("ann"), "champion")
        log.close()
        assert len(run(file)) == remaining
        run(file, "UPDATE predictions SET time = datetime('now', '-10 days')")


def test_deletes_nothing_while_the_clock_is_wrong(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_writer(f"sqlite:///{file}")
    first.write(answered("ann"), "champion")
    first.close()
    run(file, "UPDATE predictions SET time = datetime('now', '-10 days')")
    log = LogWriter(PredictionLog(f"sqlite:///{file}", KEY, retention_days=9), Metrics())
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + 74 * 365 * 86_400)
    log.start()
    log.close()
    assert len(run(file)) == 1


def test_writes_what_waited_when_its_database_recovers(file: Path) -> None:
    file.mkdir()
    log = open_writer(f"sqlite:///{file}")
    log.write(answered("ann"), "champion")
    wait_until(lambda: "unable to open database file" in log.error)
    file.rmdir()
    wait_until(lambda: not log.error)
    log.close()
    assert len(run(file)) == 1


@pytest.mark.parametrize(
    ("rows", "large"),
    [
        (1, {"responses": ["x" * 2**20]}),
        (1, {"predictions": {"text": np.array(["x" * 2**20], object)}}),
        (1, {"predictions": {"image": np.zeros((1, 2**20), np.uint8)}}),
        (800, {}),
    ],
    ids=["response", "text", "image", "rows"],
)
def test_drops_and_counts_predictions_beyond_64_mib(
    tmp_path: Path, rows: int, large: dict[str, Any]
) -> None:
    metrics = Metrics()
    log = open_writer(f"sqlite:///{tmp_path / 'none' / 'p.db'}", metrics=metrics)
    wait_until(lambda: "unable to open database file" in log.error)
    megabyte = answered(*["ann"] * rows)
    vars(megabyte).update(large)
    for _ in range(100):
        log.write(megabyte, "champion")
    dropped = metrics.registry.get_sample_value("log_dropped_total") or 0
    assert 25 <= dropped / rows <= 45  # Python 3.13 has smaller texts
    log.close()
    assert metrics.registry.get_sample_value("log_dropped_total") == 100 * rows


@pytest.fixture
def database(postgres: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS predictions")
        yield connection


def test_postgresql_has_the_same_rows(
    log: LogWriter, file: Path, postgres: str, database: "psycopg.Connection[Any]"
) -> None:
    other = open_writer(postgres)
    for one in (log, other):
        one.write(answered("ann", "bob"), "champion")
        one.close()
    rows = database.execute(ROWS).fetchall()
    assert rows == [(*row[:4], *map(json.loads, row[4:])) for row in run(file)]
    score = database.execute("SELECT answer ->> 'score', time < now() FROM predictions LIMIT 1")
    assert score.fetchone() == ("0.5", True)


def test_a_broken_connection_to_postgresql_loses_nothing(
    postgres: str, database: "psycopg.Connection[Any]"
) -> None:
    log = open_writer(postgres.replace("postgresql://", "postgres://"))
    log.write(answered("ann"), "champion")
    wait_until(lambda: database.execute(TABLE).fetchone() == (True,))
    wait_until(lambda: len(database.execute(ROWS).fetchall()) == 1)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    database.execute(f"{kill} AND usename = 'reader'")
    log.write(answered("bob"), "champion")
    wait_until(lambda: len(database.execute(ROWS).fetchall()) == 2)
    log.close()
    assert log.error == ""


def test_a_database_that_does_not_answer_is_reported(
    postgres: str, database: "psycopg.Connection[Any]"
) -> None:
    log = open_writer(postgres)
    wait_until(lambda: database.execute(TABLE).fetchone() == (True,))
    with stopped(postgres):
        log.write(answered("ann"), "champion")
        wait_until(lambda: log.error == "The database does not answer.")
    wait_until(lambda: not log.error)
    log.close()
    assert len(database.execute(ROWS).fetchall()) == 1
