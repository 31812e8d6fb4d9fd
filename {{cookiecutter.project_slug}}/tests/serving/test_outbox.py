"""What is old goes; what PostgreSQL is to have gets there once, whatever happens between."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from pydantic import SecretStr

from project_package.errors import UserError
from project_package.features.history import EVENT
from project_package.serving.batch import Batch
from project_package.serving.outbox import AT_ONCE, Log, Outbox, open_log
from project_package.serving.postgres import Postgres
from project_package.serving.record import Away, Record
from project_package.serving.services import Options
from project_package.settings import Settings

ROWS = 3
AGE = "UPDATE prediction_batches SET at = at - 10 * 86400000 WHERE number <= ?"


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    opened = Record(tmp_path / "predictions.db", b"key")
    yield opened
    opened.close()


def batch(api: Any, first: int, answer: str = '{"y":1}') -> Batch:
    """Give a batch of three rows with names from a number on."""
    names = np.array([f"{first + row}" for row in range(ROWS)], object)
    served: Any = SimpleNamespace(version="1", alias="champion", predictor=SimpleNamespace(api=api))
    numbers = {"x": np.arange(ROWS) + first, "y": np.ones(ROWS)}
    rows = {EVENT: names, "who": names}
    return Batch(served, rows, [{}] * ROWS, numbers, numbers, [answer] * ROWS)


def waiting(record: Record) -> int:
    with sqlite3.connect(record.path) as file:
        return int(file.execute("SELECT count(*) FROM prediction_batches").fetchone()[0])


@dataclass
class Fake:
    """A database that may be away, or go away just after it kept something."""

    kept: dict[str, Any] = field(default_factory=dict)
    away: bool = False
    unheard: bool = False

    def keep(self, batches: list[tuple[Any, ...]]) -> None:
        if self.away:
            raise Away("gone")
        self.kept |= {batch[0]: batch for batch in batches}
        if self.unheard:
            raise Away("said nothing")

    def forget(self, before: int) -> None:
        self.kept = {name: batch for name, batch in self.kept.items() if batch[1] >= before}


def test_what_is_older_than_the_days_goes(record: Record, multiplying: Any) -> None:
    for number in range(1300):
        record.write([batch(multiplying.api, number)])
    with record._file:
        record._file.execute(AGE, (1200,))
    Outbox(record.path, days=11).turn()
    assert waiting(record) == 1300
    Outbox(record.path, days=9).turn()
    assert waiting(record) == 100


def test_the_outbox_empties_and_what_comes_twice_is_kept_once(
    record: Record, multiplying: Any
) -> None:
    archive = Fake(unheard=True)
    outbox = Outbox(record.path, 9, archive)
    for number in range(5):
        record.write([batch(multiplying.api, number)] * 2)
    outbox.turn()
    assert (outbox.waiting, outbox.away) == (10, "Predictions wait in the log: said nothing")
    archive.unheard = False
    outbox.turn()
    assert (outbox.waiting, outbox.away, waiting(record)) == (0, "", 0)
    assert len(archive.kept) == 10


def test_a_batch_written_under_an_old_number_is_not_lost(record: Record, multiplying: Any) -> None:
    class Elsewhere(Fake):
        """While it keeps, another process empties the outbox, and a prediction comes."""

        def keep(self, batches: list[tuple[Any, ...]]) -> None:
            super().keep(batches)
            if len(self.kept) == 1:
                with record._file:
                    record._file.execute("DELETE FROM prediction_batches")
                record.write([batch(multiplying.api, 9)])

    record.write([batch(multiplying.api, 1)])
    Outbox(record.path, 9, archive := Elsewhere()).turn()
    assert (len(archive.kept), waiting(record)) == (2, 0)


def test_much_that_waits_is_sent_in_parts(record: Record, multiplying: Any) -> None:
    class Counting(Fake):
        def keep(self, batches: list[tuple[Any, ...]]) -> None:
            super().keep(batches)
            parts.append(len(batches))

    parts, long = list[int](), json.dumps("x" * (AT_ONCE // 8))
    for number in range(8):
        record.write([batch(multiplying.api, number, long)])
    Outbox(record.path, 9, Counting()).turn()
    assert sum(parts) == 8
    assert max(parts) == 3


def ask(url: str, x: int) -> None:
    answer = httpx.post(f"{url}/v1/predict", json={"instances": [{"x": x, "who": f"{x}"}] * 2})
    assert answer.json()["predictions"] == [{"y": x}] * 2


def test_predictions_go_on_while_postgresql_is_away(
    multiplying: Any, record: Record, running: Any, until: Any
) -> None:
    archive = Fake(away=True)
    outbox = Outbox(record.path, 9, archive)
    with running(multiplying.app(Options(log=Log(record, outbox)))) as url:
        ask(url, 3)
        until(lambda: outbox.waiting == 1)
        degraded = httpx.get(f"{url}/readyz")
        assert (degraded.status_code, degraded.json()["log"]) == (200, outbox.away)
        archive.away = False
        until(lambda: outbox.waiting == 0)
        assert httpx.get(f"{url}/readyz").json()["log"] == ""
    assert len(archive.kept) == 1


@pytest.fixture
def database(postgres: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection
        connection.execute("DROP TABLE IF EXISTS prediction_batches CASCADE")


def test_postgresql_shows_each_prediction_as_the_file_does(
    record: Record, multiplying: Any, postgres: str, database: psycopg.Connection[Any]
) -> None:
    for number in range(3):
        record.write([batch(multiplying.api, 10 * number)])
    query = "SELECT id, version, role, event, subject, signals, answer FROM predictions"
    with sqlite3.connect(record.path) as file:
        rows = file.execute(query).fetchall()
    Outbox(record.path, 9, Postgres(postgres)).turn()
    found = database.execute(query).fetchall()
    expected = [(*row[:-2], *map(json.loads, row[-2:])) for row in rows]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert (len(found), waiting(record)) == (3 * ROWS, 0)


def test_postgresql_keeps_once_what_comes_twice_and_forgets_what_is_old(
    postgres: str, database: psycopg.Connection[Any]
) -> None:
    batches = [(f"{day}", day, "1", "champion", "", "", "[]", "[]") for day in range(6)]
    archive, count = Postgres(postgres), "SELECT count(*) FROM prediction_batches"
    for part in (batches[:4], batches[2:]):
        archive.keep(part)
    assert database.execute(count).fetchone() == (6,)
    archive.forget(before=2)
    assert database.execute(count).fetchone() == (4,)


def test_a_connection_that_broke_is_made_again(
    postgres: str, database: psycopg.Connection[Any]
) -> None:
    archive = Postgres(postgres)
    archive.forget(0)
    kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    database.execute(f"{kill} AND usename = 'reader'")
    with pytest.raises(Away, match="PostgreSQL cannot be used"):
        archive.forget(0)
    archive.forget(0)


def test_a_postgresql_that_is_not_there_is_away_and_its_password_unsaid() -> None:
    with pytest.raises(Away) as refused:
        Postgres("postgresql://writer:se-cret@127.0.0.1:1/log").forget(0)
    assert "refused" in str(refused.value)
    assert "se-cret" not in str(refused.value)


def settings(url: str) -> Settings:
    return Settings(log_url=SecretStr(url), log_key=SecretStr("key"))


@pytest.mark.parametrize(
    ("url", "file"), [("", "predictions.db"), ("sqlite:///logs/answers.db", "logs/answers.db")]
)
def test_the_log_is_a_file_unless_told_otherwise(tmp_path: Path, url: str, file: str) -> None:
    assert open_log(settings(url), tmp_path)
    assert (tmp_path / file).is_file()
    assert open_log(settings("OFF"), tmp_path) is None


@pytest.mark.parametrize("url", ["mysql://h/db", "file", "postgresql://w:se cret@h/db"])
def test_an_address_that_is_none_is_told_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="LOG_URL is n") as refused:
        open_log(settings(url), tmp_path)
    assert "cret" not in str(refused.value)


def test_a_driver_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, Postgres.__module__)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="uv sync --extra postgresql"):
        open_log(settings("postgresql://h/db"), tmp_path)
