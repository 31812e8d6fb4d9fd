"""What an event store promises, whichever its backend."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from states import DAY, HISTORY, START, EmptyStore, Payment, batch, payment, verdicts

from project_package.columns import Columns, concatenate
from project_package.errors import UserError
from project_package.state.event_store import EventStore, retention
from project_package.state.open_store import open_store
from project_package.state.redis import RedisStore
from project_package.state.sqlite import SqliteStore


@pytest.fixture
def address(empty_store: EmptyStore) -> str:
    return empty_store()


@pytest.fixture
def store(address: str) -> Iterator[EventStore]:
    with closing(open_store(address, HISTORY)) as opened:
        yield opened


def add(store: EventStore, *payments: Columns) -> list[bool]:
    with store.transaction():
        return store.add(batch(*payments))


def amounts(store: EventStore, row: Columns | None = None) -> list[float]:
    """Return the amounts in the history of a card; by default of one that is not stored."""
    with store.transaction():
        history = store.history(row or payment("question"))[0]
    found: list[float] = history["card"]["amount"].tolist()
    return found


def test_event_is_found_with_its_columns_and_answer(store: EventStore) -> None:
    with store.transaction():
        assert store.add(payment("a", amount=2.5, note="tip")) == [True]
        store.set_answers(payment("a"), ['{"score":1}'])
    with store.transaction():
        missing, event = store.find_events(batch(payment("b"), payment("a")))
    assert missing is None
    assert event is not None
    assert event.answer == '{"score":1}'
    row = {"payment_id": "a", "timestamp": START, "card": "c", "shop": "s", "amount": 2.5}
    assert event.row == {**row, "note": "tip", "is_bad": None}


def delete_expired(store: EventStore) -> int:
    """Delete what has expired now."""
    before = datetime.now(UTC) - retention(HISTORY)
    return store.delete_expired(round(before.timestamp() * 1000))


def test_duplicate_changes_nothing(store: EventStore) -> None:
    assert add(store, payment("a", amount=1), payment("a", amount=2)) == [True, False]
    assert add(store, payment("a", START + DAY, "other")) == [False]
    assert amounts(store) == [1]


def test_rows_of_a_batch_share_histories_without_themselves(store: EventStore) -> None:
    add(store, payment("a", amount=1), payment("b", card="other"))
    rows = batch(payment("c"), payment("d", card="other"), payment("e", START - 1), payment("b"))
    with store.transaction():
        store.add(rows)
        c, d, e, _ = store.history(rows)
    assert c["card"] is e["card"]
    assert c["shop"] is d["shop"] is e["shop"]
    assert c["card"]["amount"].tolist() == [1]
    assert len(d["card"]["amount"]) == 0
    assert len(d["shop"]["is_bad"]) == 1


def limited(store_address: str, **limits: Any) -> EventStore:
    """Open a store whose features read a part of the events of a card."""
    card, shop = HISTORY.entities
    return open_store(store_address, replace(HISTORY, entities=(replace(card, **limits), shop)))


def test_reads_the_last_events_that_are_old_enough(address: str) -> None:
    with closing(limited(address, rows=3, delay=timedelta(hours=1))) as store:
        hour = DAY // 24
        add(store, *(payment(f"{n}", START + n * hour, amount=n) for n in range(12)))
        assert amounts(store, payment("q", START + 10 * hour)) == [7, 8, 9]
        rows = batch(payment("q", START + 10 * hour), payment("p", START + 5 * hour))
        with store.transaction():
            shared = store.history(rows)[0]["card"]
        assert shared["amount"].tolist() == [2, 3, 4, 5, 6, 7, 8, 9]


def test_history_ends_after_a_number_of_events(address: str) -> None:
    is_redis = address.startswith("redis")
    path = Path(address)
    open_limited = partial(RedisStore, address) if is_redis else partial(SqliteStore, path)
    with closing(open_limited(HISTORY, max_history=5)) as store:
        add(store, *(payment(f"{n}", card=f"{n // 4}") for n in range(12)))
        rows = batch(*(payment("q", card=f"{n}", shop=f"{n}") for n in range(3)))
        with store.transaction():
            assert len(store.history(rows)) == 2
    few = replace(HISTORY, entities=tuple(replace(kind, rows=3) for kind in HISTORY.entities))
    with closing(open_limited(few, max_history=5)) as store, store.transaction():
        same = batch(*(payment(f"q{n}", card="0", shop="new") for n in range(4)))
        assert len(store.history(same)) == 4


@pytest.mark.parametrize("far", [START - 10_000 * DAY, 2**31 * 1000 + 20_000 * DAY])
def test_a_far_date_hides_nothing(store: EventStore, far: int) -> None:
    add(store, payment("a", amount=1))
    add(store, payment("far", far, amount=2))
    assert add(store, payment("b", amount=3)) == [True]
    assert delete_expired(store) == 0
    assert amounts(store) == [1, 3]
    assert amounts(store, payment("question", far + 1)) == [2]


def test_erases_one_kind_of_entity(store: EventStore) -> None:
    add(store, payment("a", card="x"), payment("b", shop="x"), payment("c", amount=3))
    assert store.erase("card", "x") == 1
    assert store.erase("card", "x") == 0
    with store.transaction():
        found = store.find_events(batch(*map(payment, "abc")))
    assert [event is not None for event in found] == [False, True, True]
    assert amounts(store) == [1, 3]
    assert store.erase("shop", "x") == 1
    assert amounts(store) == [3]


def test_retention_counts_from_receipt(store: EventStore, address: str) -> None:
    add(store, payment("old", START - 999 * DAY), payment("a"), payment("b", amount=2))
    assert store.set_labels(verdicts(["b"], [True])) == [True]
    assert delete_expired(store) == 0
    days = retention(HISTORY).days
    if address.startswith("redis"):
        with Redis.from_url(address) as client:
            keys = [*client.keys("event:*"), *client.keys("entity:*")]
            assert {round(client.ttl(key) / 86_400) for key in keys} == {days}
            client.delete('event:["old"]', 'event:["a"]')
            add(store, payment("later", START + 1))
            assert client.zrange("entity:card:c", 0, -1) == [b'["b"]', b'["later"]']
    else:
        with closing(sqlite3.connect(address)) as file, file:
            earlier = "UPDATE events SET received = received - ? WHERE payment_id <> 'b'"
            file.execute(earlier, [(days + 1) * DAY])
        assert delete_expired(store) == 2
    assert amounts(store) == [2]
    assert add(store, payment("a", card="other")) == [True]
    assert amounts(store) == [2]


def test_questions_have_no_key(address: str) -> None:
    history = replace(HISTORY, request_is_event=False)
    question = payment("question")
    question = {name: question[name] for name in ("timestamp", "card", "shop")}
    with closing(open_store(address, history)) as store:
        add(store, payment("a", amount=1))
        assert amounts(store, question) == [1]
        later = {**question, "timestamp": question["timestamp"] + 2 * DAY}
        with store.transaction():
            histories = store.history(concatenate([question, later]))
        assert [len(history["card"]["amount"]) for history in histories] == [1, 0]


class Refund(Payment):
    reason: str


def test_refuses_a_store_of_other_columns(store: EventStore, address: str) -> None:
    add(store, payment("a"))
    with (
        pytest.raises(UserError, match="other columns than this program: set STATE_URL"),
        closing(open_store(address, replace(HISTORY, event=Refund))) as other,
        other.transaction(),
    ):
        pass
