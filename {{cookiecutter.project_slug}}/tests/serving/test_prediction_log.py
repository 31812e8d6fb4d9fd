"""The prediction log: a row per prediction in either database, whatever happens to it."""

import json
import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psycopg
import pytest
from pydantic import SecretStr
from servers import wait_until

from project_package.errors import Unavailable, UserError
from project_package.serving.metrics import Metrics
from project_package.serving.prediction_log import PredictionLog, open_log, read_key
from project_package.settings import Settings

KEY = b"k" * 32
COLUMNS = "version, role, event, entity, monitored, answer"


def answered(*customers: str, x: float = 0.5, entity: str = "customer") -> Any:
    """Return what version 3 answered to these customers: a score that is x."""
    events = np.array([f"event-{number}" for number in range(len(customers))], object)
    return SimpleNamespace(
        served=SimpleNamespace(version="3", task=SimpleNamespace(id="event", entity=entity)),
        rows={"event": events, "customer": np.array(customers, object)},
        monitored={"x": np.full(len(customers), x), "kind": np.full(len(customers), "é")},
        answers=[json.dumps({"score": x})] * len(customers),
    )


def stored(file: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(file)) as database:
        return database.execute(f"SELECT {COLUMNS} FROM predictions ORDER BY id").fetchall()  # noqa: S608


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "predictions.db"


@pytest.fixture
def log(file: Path) -> Iterator[PredictionLog]:
    opened = PredictionLog(f"sqlite:///{file}", KEY, 90, Metrics())
    opened.create_table()
    opened.start()
    yield opened
    opened.close()


def test_each_prediction_is_a_row(log: PredictionLog, file: Path) -> None:
    log.write(answered("ann", "bob"), "champion")
    log.write(answered("ann", x=float("inf")), "shadow")
    log.close()
    rows = stored(file)
    assert [row[:2] for row in rows] == [("3", "champion")] * 2 + [("3", "shadow")]
    assert [json.loads(row[4]) for row in rows] == [{"x": 0.5, "kind": "é"}] * 2 + [
        {"x": None, "kind": "é"}
    ]
    assert json.loads(rows[0][5]) == {"score": 0.5}


def test_identifiers_are_keyed_hashes(log: PredictionLog, file: Path) -> None:
    log.write(answered("ann-17", "ann-17", "bob-18", ""), "champion")
    log.write(answered("ann-17", entity=""), "champion")
    log.close()
    one, same, other, empty, none = (row[3] for row in stored(file))
    assert one == same != other
    assert (len(one), empty, none) == (16, "", "")
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert not any(name in written for name in (b"ann-17", b"bob-18", b"event-"))


def test_erases_what_is_about_an_entity(log: PredictionLog, file: Path) -> None:
    log.write(answered("ann", "bob", "ann"), "champion")
    log.close()
    command = PredictionLog(f"sqlite:///{file}", KEY, 90)  # without a server
    assert (command.erase("ann"), command.erase("ann")) == (2, 0)
    assert len(stored(file)) == 1


def test_deletes_what_is_too_old(file: Path) -> None:
    for days, left in ((90, 1), (9, 0)):
        log = PredictionLog(f"sqlite:///{file}", KEY, days)
        log.start()
        if left:
            log.write(answered("ann"), "champion")
        log.close()
        assert len(stored(file)) == left
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute("UPDATE predictions SET time = datetime('now', '-10 days')")


def test_waits_for_its_database_and_recovers_by_itself(log: PredictionLog, file: Path) -> None:
    log.write(answered("ann"), "champion")
    wait_until(lambda: len(stored(file)) == 1)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("DROP TABLE predictions")
    log.write(answered("bob"), "champion")
    wait_until(lambda: "no such table" in log.error)
    wait_until(lambda: not log.error)  # it created the table again
    assert len(stored(file)) == 1
    assert log.dropped == 0


def test_drops_and_counts_what_is_beyond_the_queue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    metrics, many = Metrics(), answered(*["ann"] * 60_000)
    log = PredictionLog(f"sqlite:///{tmp_path / 'none' / 'p.db'}", KEY, 90, metrics)
    log.start()
    wait_until(lambda: "unable to open database file" in log.error)
    for _ in range(3):
        log.write(many, "champion")
    assert log.dropped == 120_000
    log.close()
    assert log.dropped == 180_000
    page = metrics.page().decode()
    assert "log_dropped_total 180000.0" in page
    assert 'degraded{part="log"} 1.0' in page
    assert len(caplog.records) == 2


@pytest.fixture
def database(postgres: str) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS predictions")
        yield connection
        connection.execute("DROP TABLE IF EXISTS predictions")


def test_postgresql_has_the_same_rows(
    log: PredictionLog, file: Path, postgres: str, database: "psycopg.Connection[Any]"
) -> None:
    other = PredictionLog(postgres, KEY, 90)
    other.start()
    for one in (log, other):
        one.write(answered("ann", "bob"), "champion")
        one.close()
    found = database.execute(f"SELECT {COLUMNS} FROM predictions ORDER BY id").fetchall()  # noqa: S608
    assert found == [(*row[:4], *map(json.loads, row[4:])) for row in stored(file)]
    score = database.execute("SELECT answer ->> 'score', time < now() FROM predictions LIMIT 1")
    assert score.fetchone() == ("0.5", True)
    assert PredictionLog(postgres, KEY, 90).erase("bob") == 1


def test_postgresql_that_breaks_the_connection_gets_every_row(
    postgres: str, database: "psycopg.Connection[Any]"
) -> None:
    log = PredictionLog(postgres.replace("postgresql://", "postgres://"), KEY, 90)
    log.start()
    rows = "SELECT count(*) FROM predictions"
    log.write(answered("ann"), "champion")
    exists = "SELECT to_regclass('predictions') IS NOT NULL"
    wait_until(lambda: database.execute(exists).fetchone() == (True,))
    wait_until(lambda: database.execute(rows).fetchone() == (1,))
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    database.execute(f"{kill} AND usename = 'reader'")
    log.write(answered("bob"), "champion")
    wait_until(lambda: database.execute(rows).fetchone() == (2,))
    log.close()
    assert log.error == ""


def test_an_unreachable_postgresql_is_reported_without_password() -> None:
    log = PredictionLog("postgresql://writer:se-cret@127.0.0.1:1/log", KEY, 90)
    with pytest.raises(Unavailable, match=r"cannot be used: .*refused") as error:
        log.erase("ann")
    assert "se-cret" not in str(error.value)


def settings(url: str) -> Settings:
    return Settings(log_url=SecretStr(url))


@pytest.mark.parametrize(
    ("url", "file"), [("", "predictions.db"), ("sqlite:///logs/answers.db", "logs/answers.db")]
)
def test_the_log_is_a_file_by_default(tmp_path: Path, url: str, file: str) -> None:
    opened = open_log(settings(url), tmp_path)
    assert opened is not None
    opened.write(answered("ann"), "champion")
    opened.start()
    opened.close()
    assert len(stored(tmp_path / file)) == 1
    assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600
    assert open_log(settings("OFF"), tmp_path) is None


@pytest.mark.parametrize("url", ["mysql://h/db", "file", "postgresql://w:secret@h:port/db"])
def test_refuses_another_address_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="LOG_URL is none of sqlite:///file") as error:
        open_log(settings(url), tmp_path)
    assert "secret" not in str(error.value)


def test_names_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "predictions.db").mkdir()
    with pytest.raises(UserError, match="The prediction log cannot be used: unable to open"):
        open_log(settings(""), tmp_path)


def test_names_a_missing_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="uv sync --extra postgresql"):
        open_log(settings("postgresql://h/db"), tmp_path)


def test_the_key_is_created_once_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "predictions.key"
    key = read_key(file, "")
    assert read_key(file, "") == key != read_key(tmp_path / "other.key", "")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600  # noqa: PTH116
    assert read_key(file, "given") == read_key(tmp_path / "none", "given") != key
    file.write_bytes(b"")
    with pytest.raises(UserError, match="is damaged: set LOG_KEY"):
        read_key(file, "")
