"""The prediction log: which addresses it takes, and how long it keeps what about whom."""

import sqlite3
import stat
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from project_package.errors import Unavailable, UserError
from project_package.prediction_log import PredictionLog, open_log
from project_package.settings import Settings

KEY = b"k" * 32


def row(log: PredictionLog, customer: str = "ann", days: float = 0) -> dict[str, Any]:
    """Return a prediction about a customer, made so many days ago."""
    texts = {
        "version": "3",
        "role": "champion",
        "prediction": "",
        "event": "",
        "monitored": "{}",
        "answer": "{}",
    }
    time = datetime.now(UTC) - timedelta(days=days)
    return {**texts, "time": time, "entity": log.hash(customer)}


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PredictionLog]:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
    with closing(PredictionLog(url, KEY, retention_days=9)) as log:
        for customer in ("ann", "bob"):
            log.erase(customer)
        yield log


def test_erases_predictions_about_an_entity(log: PredictionLog) -> None:
    log.insert([[row(log), row(log, "bob")], [row(log)]])
    assert [log.erase("ann"), log.erase("ann"), log.erase("bob")] == [2, 0, 1]


def test_erase_leaves_no_bytes_even_if_another_process_reads(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}?timeout=0"
    with closing(PredictionLog(url, KEY, 9)) as log, closing(PredictionLog(url, KEY, 9)) as server:
        server.insert([[row(log), row(log, "bob")] * 500])
        with closing(sqlite3.connect(tmp_path / "p.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM predictions").fetchall()
            with pytest.raises(Unavailable, match="erase again later"):
                log.erase("ann")
        assert log.erase("ann") == 0
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert log.hash("ann").encode() not in content
        assert log.hash("bob").encode() in content


def test_deletes_old_predictions_part_by_part(log: PredictionLog) -> None:
    log.insert([[row(log, days=days) for days in (10, 10, 8, 10)]])
    assert [log.delete_old(limit=2) for _ in range(3)] == [2, 1, 0]
    assert log.erase("ann") == 1


def test_an_error_of_postgresql_has_no_password() -> None:
    log = PredictionLog("postgresql://writer:se-cret@127.0.0.1:1/log", KEY, 90)
    with pytest.raises(Unavailable, match=r"cannot be used: .*refused") as error:
        log.erase("ann")
    assert "se-cret" not in str(error.value)


def open_in(root: Path, url: str = "", key: str = "") -> PredictionLog | None:
    return open_log(Settings(log_url=SecretStr(url), log_key=SecretStr(key)), root)


def test_the_log_is_a_file_by_default(tmp_path: Path) -> None:
    for url, name in (("", "predictions.db"), ("sqlite:///logs/answers.db", "logs/answers.db")):
        assert open_in(tmp_path, url)
        with closing(sqlite3.connect(tmp_path / name)) as database:
            assert database.execute("SELECT * FROM predictions").fetchall() == []
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert open_in(tmp_path, "OFF") is None


@pytest.mark.parametrize(
    "url", ["mysql://h/db", "file", "sqlite://", "postgresql://w:secret@h:port/db"]
)
def test_refuses_another_address_without_its_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="LOG_URL is none of sqlite:///file") as error:
        open_in(tmp_path, url)
    assert "secret" not in str(error.value)


def test_names_what_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(UserError, match="The prediction log cannot be used: unable to open"):
        open_in(tmp_path, "sqlite:///folder.db")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="uv sync --extra postgresql"):
        open_in(tmp_path, "postgresql://h/db")


def test_the_key_is_created_once_for_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "predictions.key"
    open_in(tmp_path, key="shared")
    assert not file.exists()
    open_in(tmp_path)
    key = file.read_bytes()
    open_in(tmp_path)
    assert file.read_bytes() == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(b"")
    with pytest.raises(UserError, match="is damaged: set LOG_KEY"):
        open_in(tmp_path)


def test_processes_that_start_at_once_share_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        logs = list(threads.map(lambda _: open_in(tmp_path), range(8)))
    assert len({log.hash("ann") for log in logs if log}) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if "key" in path.name) == [
        "predictions.key"
    ]


def test_erases_the_labels_of_an_entity(log: PredictionLog) -> None:
    event = log.hash("e")
    named = [{**row(log), "prediction": "p"}, {**row(log), "event": event}, row(log, "bob")]
    log.insert([named])
    log.insert_labels([("p", "", "{}"), ("", "e", "{}"), ("", "", "{}")])
    log.erase("ann")
    log.erase("bob")
    (left,) = next(log.read_labels(datetime(2026, 1, 1, tzinfo=UTC)))
    assert (left.prediction, left.event) == ("", "")


def test_reads_what_was_logged_in_a_time(log: PredictionLog) -> None:
    log.insert([[{**row(log, days=days), "version": f"{days}"} for days in (3, 2, 1, 0)]])
    now = datetime.now(UTC)
    found = log.read_answers(now - timedelta(days=2.5), now - timedelta(days=0.5))
    assert [one.version for part in found for one in part] == ["2", "1"]
    log.erase("ann")
