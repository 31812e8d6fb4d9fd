"""A Redis that goes away, that others write to, and that is none."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from states import CARDS
from redis import Redis

from project_package.contract import Columns
from project_package.errors import UserError
from project_package.features.history import EVENT
from project_package.state.base import StateUnusable
from project_package.state.base import State

START = 10**12


def row(name: str, timestamp: int, amount: float = 1) -> Columns:
    """Give one row."""
    return {
        "timestamp": np.array([timestamp]),
        "card": np.array(["c"], object),
        "amount": np.array([amount]),
        EVENT: np.array([name], object),
    }


def put(state: State, row: Columns) -> None:
    with state.transaction():
        state.add(row, 0)


def amounts(state: State) -> list[float]:
    """Give the amounts that are remembered."""
    with state.transaction():
        found: list[float] = state.past(row("", START), 0)["card"]["amount"].tolist()
    return found


def test_a_redis_that_goes_away_is_told_and_used_again_when_it_is_back(
    start_redis: Any, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    state = State(f"redis://127.0.0.1:{port}/0", CARDS)
    with start_redis(tmp_path, port):
        put(state, row("a", START))
    with pytest.raises(StateUnusable, match="refused"):
        put(state, row("b", START))
    with start_redis(tmp_path, port):
        put(state, row("b", START, amount=2))
        assert amounts(state) == [1, 2]
    state.close()


def overtaken(slow: State, other: State, client: Any) -> None:
    """Let another in before a transaction ends."""
    with slow.transaction():
        slow.add(row("slow", START), 0)
        client.delete("{state}lock")
        put(other, row("other", START, amount=2))


def test_a_transaction_whose_lock_ran_out_changes_nothing(redis: str) -> None:
    with Redis.from_url(redis) as client:
        client.flushall()
        slow, other = State(redis, CARDS), State(redis, CARDS)
        with pytest.raises(StateUnusable):
            overtaken(slow, other, client)
    assert amounts(slow) == [2]
    slow.close()
    other.close()


def test_an_address_of_no_redis_is_told() -> None:
    with pytest.raises(UserError, match="STATE_URL cannot be understood"):
        State("redis://127.0.0.1:port/0", CARDS)
