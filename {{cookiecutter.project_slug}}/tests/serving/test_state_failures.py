"""An event store that fails, and a server that is killed: what was acknowledged is not lost."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx2
import pytest
from multiplying import Published
from redis import Redis
from servers import program, running, wait_until
from states import EmptyStore
from totals import HISTORY

from project_package.columns import Columns
from project_package.serving.event_service import EventService
from project_package.state.event_store import StateUnavailable
from project_package.state.sqlite import SqliteStore

pytestmark = pytest.mark.system

PEOPLE = 8
PAYMENTS = 40
KILLS = 2


def ask(url: str, **number: Any) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/predict", json={"instances": [{"x": 2, **number}]}, timeout=30)


def degraded(url: str) -> list[str]:
    parts: list[str] = httpx2.get(f"{url}/readyz").json()["degraded"]
    return parts


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a SQLite file, so that nobody else can write."""
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@pytest.fixture
def impatient(totals: Published) -> Published:
    """Let the event store wait for no lock."""
    store = SqliteStore(totals.root / "state.db", HISTORY, busy_seconds=0)
    totals.open_events = lambda predictions, settings, _: EventService(
        HISTORY, store, predictions, settings
    )
    return totals


def test_a_locked_event_store_refuses_and_recovers(impatient: Published) -> None:
    with running(impatient.app()) as url:
        assert ask(url, payment="a").status_code == 200
        with locked(impatient.root / "state.db"):
            refused = ask(url, payment="b")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert "event store cannot be used" in refused.json()["detail"]
            assert degraded(url) == ["state"]
            assert ask(url, payment="c", earlier=[1]).json()["predictions"] == [{"y": 3}]
            wait_until(lambda: 'degraded{part="state"} 1.0' in httpx2.get(f"{url}/metrics").text)
        wait_until(lambda: degraded(url) == [])
        assert ask(url, payment="b").json()["predictions"] == [{"y": 4}]


class FullStore(SqliteStore):
    """An event store on a full disk: it can be read, and nothing can be written."""

    is_full = False

    def add(self, rows: Columns, claim: bool = False) -> list[bool]:
        self.fail_if_full()
        return super().add(rows, claim)

    def delete_expired(self, before: int) -> int:
        self.fail_if_full()
        return super().delete_expired(before)

    def fail_if_full(self) -> None:
        if self.is_full:
            raise StateUnavailable("full")


def open_full_store(totals: Published) -> FullStore:
    """Let the applications use an event store that can be full."""
    store = FullStore(totals.root / "state.db", HISTORY)
    totals.open_events = lambda predictions, settings, _: EventService(
        HISTORY, store, predictions, settings
    )
    return store


def test_a_full_event_store_stays_degraded_until_it_can_write(totals: Published) -> None:
    store = open_full_store(totals)
    with running(totals.app()) as url:
        assert ask(url, payment="a").status_code == 200
        store.is_full = True
        assert ask(url, payment="b").status_code == 503
        for _ in range(5):
            assert ask(url, payment="a").status_code == 200  # its answer is stored
            assert degraded(url) == ["state"]
            time.sleep(0.02)
        store.is_full = False
        wait_until(lambda: degraded(url) == [])


def test_a_damaged_key_of_a_redis_fails_its_request_only(totals: Published, redis: str) -> None:
    with Redis.from_url(redis) as client:
        client.flushall()
        client.set("entity:who:bad", "no sorted set")
    payments = [{"payment": f"{n}", "who": "bad" if n == 5 else f"{n}"} for n in range(20)]
    with running(totals.app(state_url=redis)) as url, ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda payment: ask(url, **payment).status_code, payments))
        assert degraded(url) == []
    assert answers == [503 if n == 5 else 200 for n in range(20)]


def test_no_event_expires_while_the_clock_is_wrong(
    totals: Published, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_full_store(totals)
    right = time.time
    with running(totals.app()) as url:
        assert ask(url, payment="a").status_code == 200
        store.is_full = True
        assert ask(url, payment="b").status_code == 503
        monkeypatch.setattr(time, "time", lambda: right() + 74 * 365 * 86_400)
        wait_until(lambda: "clock was changed" in caplog.text)  # the next maintenance
        store.is_full = False
        wait_until(lambda: degraded(url) == [])  # a later one has written
        monkeypatch.setattr(time, "time", right)
        assert ask(url, payment="b").json()["predictions"] == [{"y": 4}]


def test_a_dead_event_store_is_reported_before_a_request(totals: Published) -> None:
    with running(totals.app(state_url="redis://127.0.0.1:1/0")) as url:
        wait_until(lambda: degraded(url) == ["state"])
        assert ask(url, payment="a", earlier=[]).status_code == 200
        assert ask(url, payment="a").status_code == 503


def predict(client: httpx2.Client, payment: dict[str, Any]) -> httpx2.Response:
    """Send a payment, again while a process that was killed counts as answering it."""
    while True:
        answer = client.post("/v1/predict", json={"instances": [payment]})
        if answer.status_code != 409:
            return answer
        time.sleep(float(answer.headers["retry-after"]))


def send(url: str, answered: dict[str, float], who: int) -> None:
    """Send the payments of a person that were not answered yet, until the server dies."""
    with httpx2.Client(base_url=url, timeout=30) as client, suppress(httpx2.TransportError):
        for number in range(PAYMENTS):
            payment = {"payment": f"{who}-{number}", "who": f"{who}", "x": who + number}
            if payment["payment"] not in answered:
                answer = predict(client, payment)
                labels = [{"payment": payment["payment"], "bad": True}]
                found = client.post("/v1/labels", json={"labels": labels})
                assert (answer.status_code, found.json()) == (200, {"set": 1, "unknown": []})
                answered[f"{who}-{number}"] = answer.json()["predictions"][0]["y"]


def test_two_servers_count_each_event_once(totals: Published, empty_store: EmptyStore) -> None:
    state = empty_store()

    def send_to_both(number: int) -> None:
        payment = {"payment": f"{number}", "x": 1}
        with ThreadPoolExecutor(2) as pool:
            one, two = pool.map(lambda client: predict(client, payment).json(), both)
            assert one == two

    with ExitStack() as opened, ThreadPoolExecutor(4) as pool:
        urls = [opened.enter_context(running(totals.app(state_url=state))) for _ in range(2)]
        both = [opened.enter_context(httpx2.Client(base_url=url, timeout=30)) for url in urls]
        list(pool.map(send_to_both, range(40)))
        last = predict(both[0], {"payment": "last", "x": 0})
    assert last.json()["predictions"] == [{"y": 40}]


def test_nothing_answered_is_lost_or_counted_twice_after_a_kill(
    totals: Published, empty_store: EmptyStore
) -> None:
    state = empty_store()
    answered = dict[str, float]()
    for kill in range(1, KILLS + 1):
        with program(totals, STATE_URL=state) as (process, url), ThreadPoolExecutor(PEOPLE) as pool:
            loads = [pool.submit(send, url, answered, who) for who in range(PEOPLE)]
            while len(answered) < kill * PEOPLE * PAYMENTS // (KILLS + 2):
                assert not all(load.done() for load in loads)
                time.sleep(0.01)
            process.kill()
        assert not [load.exception() for load in loads if load.exception()]
    assert len(answered) < PEOPLE * PAYMENTS
    again: dict[str, float] = {}
    with program(totals, STATE_URL=state) as (_, url), ThreadPoolExecutor(PEOPLE) as pool:
        list(pool.map(partial(send, url, answered), range(PEOPLE)))
        list(pool.map(partial(send, url, again), range(PEOPLE)))
    totals_of = {w: accumulate(range(w, w + PAYMENTS)) for w in range(PEOPLE)}
    assert answered == again
    assert answered == {f"{w}-{n}": y for w, all_ in totals_of.items() for n, y in enumerate(all_)}
