"""A state's file that is none, that another holds, and that a disk loses."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from states import CARDS

from project_package import state_sqlite
from project_package.contract import Columns
from project_package.errors import UserError
from project_package.features.history import EVENT
from project_package.state.base import StateUnusable
from project_package.state.base import State

START = 10**12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def row(name: str, amount: float = 1, card: str = "c") -> Columns:
    """Give one row."""
    return {
        "timestamp": np.array([START]),
        "card": np.array([card], object),
        "amount": np.array([amount]),
        EVENT: np.array([name], object),
    }


def put(state: State, row: Columns) -> None:
    with state.transaction():
        state.add(row, 0)


def amounts(state: State, card: str = "c") -> list[float]:
    """Give the amounts of a card that are remembered."""
    with state.transaction():
        found: list[float] = state.past(row("", card=card), 0)["card"]["amount"].tolist()
    return found


def test_a_file_that_is_none_is_told(path: Path) -> None:
    path.write_text("no database" * 100)
    with pytest.raises(UserError, match=r"state.db cannot be opened: file is not a database"):
        State(path, CARDS)


def test_a_file_that_another_holds_cannot_be_used_until_it_is_free(
    path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(state_sqlite, "BUSY_SECONDS", 0)
    one, two = State(path, CARDS), State(path, CARDS)
    with one.transaction():
        one.add(row("a"), 0)
        with pytest.raises(StateUnusable, match="locked"), two.transaction():
            pass
    assert amounts(two) == [1]


def test_only_its_owner_may_read_a_file(path: Path) -> None:
    put(State(path, CARDS), row("a"))
    modes = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["state.db", "state.db-wal", "state.db-shm"], 0)


def test_a_disk_that_lost_something_is_not_written_again(path: Path, monkeypatch: Any) -> None:
    def lose(_: int) -> None:
        raise OSError("worn out")

    state = State(path, CARDS)
    put(state, row("a"))
    monkeypatch.setattr(os, "fsync", lose)
    with pytest.raises(StateUnusable, match="worn out"):
        state.sync()
    monkeypatch.undo()
    with pytest.raises(StateUnusable, match="start the server again"):
        state.sync()
    with pytest.raises(StateUnusable, match="start the server again"):
        put(state, row("b", 2))
    assert amounts(State(path, CARDS)) == [1]


def test_what_cannot_be_read_of_others_is_read_the_next_time(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(state_sqlite, "FRESH", 4)
    one, two = State(path, CARDS), State(path, CARDS)
    put(one, row("0", 0))
    assert amounts(two) == [0]
    for number in range(1, 7):
        put(one, row(f"{number}", number, f"{number}"))
    news = state_sqlite.NEWS
    monkeypatch.setattr(state_sqlite, "NEWS", "SELECT %d FROM nowhere WHERE ? > 0")
    with pytest.raises(StateUnusable, match="no such table"):
        amounts(two)
    monkeypatch.setattr(state_sqlite, "NEWS", news)
    assert [amounts(two, f"{number}") for number in range(1, 7)] == [[n] for n in range(1, 7)]


def test_a_file_that_may_not_be_written_is_told_at_once(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(state_sqlite, "BUSY_SECONDS", 10**6)
    state = State(path, CARDS)
    state._keeper._file.execute("PRAGMA query_only = 1")  # type: ignore[attr-defined]
    with pytest.raises(StateUnusable, match="readonly"):
        put(state, row("a"))


def test_values_move_when_there_are_many_and_every_process_knows_them(
    path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(state_sqlite, "FRESH", 4)
    one, two = State(path, CARDS), State(path, CARDS)
    counts = []
    for number in range(12):
        put((one, two)[number % 2], row(f"{number}", number))
        file: Any = one._keeper._file  # type: ignore[attr-defined]
        tables = "SELECT key FROM fresh_0 UNION ALL SELECT key FROM fresh_3"
        counts.append(len(file.execute(tables).fetchall()))
        assert amounts(one) == amounts(two) == [*map(float, range(number + 1))]
    assert counts == [2, 4, 6, 4, 1, 3, 5, 3, 1, 3, 5, 3]
    assert amounts(State(path, CARDS)) == [*map(float, range(12))]
