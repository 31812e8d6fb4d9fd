"""The event store in a SQLite file: errors, locks, a full disk, and a person who reads it."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from states import DAY, HISTORY, START, batch, payment

from project_package.contract.history import Entity
from project_package.errors import UserError
from project_package.state.event_store import StateUnavailable
from project_package.state.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path, HISTORY, busy_seconds=0)) as opened:
        yield opened


def names(path: Path) -> list[str]:
    """Return the stored payments in the way a person would read them."""
    with closing(sqlite3.connect(path)) as file:
        return [name for (name,) in file.execute("SELECT payment_id FROM events ORDER BY id")]


def test_a_commit_waits_for_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def recorded(*arguments: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", recorded)
    with closing(SqliteStore(path, HISTORY)):
        (connection,) = opened
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_an_error_leaves_nothing_of_a_transaction(store: SqliteStore, path: Path) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        assert store.add(payment("a"))[0] > 1 / 0
    assert names(path) == []
    with store.transaction():
        assert store.add(payment("a")) == [True]


def test_a_full_disk_leaves_nothing_half_written(store: SqliteStore, path: Path) -> None:
    with store.transaction():
        store.add(payment("a"))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, usual[1]))
    try:
        with pytest.raises(StateUnavailable), store.transaction():
            store.add(batch(*(payment(f"{i}", note="long" * 100) for i in range(1000))))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    with store.transaction():
        store.add(payment("b"))
    assert names(path) == ["a", "b"]


def test_erase_leaves_no_bytes_even_if_another_process_reads(
    store: SqliteStore, path: Path
) -> None:
    with store.transaction():
        store.add(payment("a", card="secret-card"))
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM events").fetchall()
        with pytest.raises(StateUnavailable, match="erase again later"):
            store.erase("card", "secret-card")
    assert store.erase("card", "secret-card") == 0
    assert not [file for file in path.parent.iterdir() if b"secret-card" in file.read_bytes()]


def test_only_its_owner_may_read_the_files(store: SqliteStore, path: Path) -> None:
    with store.transaction():
        store.add(payment("a"))
    modes = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["state.db", "state.db-wal", "state.db-shm"], 0)


def test_a_file_that_is_no_database_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no database" * 100)
    with pytest.raises(UserError, match=r"notes.txt cannot be opened: file is not a database"):
        SqliteStore(tmp_path / "notes.txt", HISTORY)


def test_features_may_read_another_column_later(store: SqliteStore, path: Path) -> None:
    with store.transaction():
        store.add(payment("a", shop="s", amount=3))
    entities = (Entity("shop", timedelta(days=9), ("is_bad", "amount")),)
    with closing(SqliteStore(path, replace(HISTORY, entities=entities))) as changed:
        history = changed.history(payment("question", START + 8 * DAY))[0]
    assert history["shop"]["amount"].tolist() == [3]
    with closing(sqlite3.connect(path)) as file:
        (index,) = file.execute("SELECT sql FROM sqlite_schema WHERE name = 'events_by_shop'")
    assert index[0].endswith('("shop", "timestamp", "is_bad", "amount")')


def test_a_full_disk_is_noticed_without_an_event(store: SqliteStore, path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, usual[1]))
    try:
        with pytest.raises(StateUnavailable):
            store.delete_expired(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert store.delete_expired(0) == 0


def test_events_received_at_a_wrong_time_expire_too(store: SqliteStore, path: Path) -> None:
    with store.transaction():
        store.add(batch(*(payment(f"{n}") for n in range(1_002))))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE events SET received = received + 1e12 WHERE id <= 1000")
        file.execute("UPDATE events SET received = 1000 WHERE id = 1001")
    assert [store.delete_expired(2_000) for _ in range(3)] == [1_000, 1, 0]
    assert names(path) == ["1001"]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_removed_file_is_noticed(store: SqliteStore, path: Path, is_replaced: bool) -> None:
    path.rename(path.with_name("moved"))
    if is_replaced:
        path.touch()
    with pytest.raises(StateUnavailable, match="removed or replaced: restart"), store.transaction():
        pass
