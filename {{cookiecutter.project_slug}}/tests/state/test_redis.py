"""The event store in a Redis: replicas that answer at once, or are killed, and a Redis restart."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis_server import StartRedis
from states import HISTORY, START, payment

from project_package.errors import UserError
from project_package.state.event_store import (
    EventRefused,
    StateUnavailable,
    StoredEvent,
)
from project_package.state.redis import RedisStore

Replicas = tuple[RedisStore, RedisStore]


@pytest.fixture
def replicas(redis: str) -> Iterator[Replicas]:
    with Redis.from_url(redis) as client:
        client.flushall()
    with (
        closing(RedisStore(redis, HISTORY, claim_seconds=0.2)) as one,
        closing(RedisStore(redis, HISTORY, claim_seconds=0.2)) as two,
    ):
        yield one, two


def find(store: RedisStore) -> StoredEvent:
    found = store.find_events(payment("a"))[0]
    assert found is not None
    return found


def test_a_failed_replica_claims_an_event_for_a_moment(replicas: Replicas) -> None:
    failed, other = replicas
    with pytest.raises(ZeroDivisionError), failed.transaction():
        assert failed.add(payment("a"), claim=True)[0] > 1 / 0
    with other.transaction():
        assert other.add(payment("a"), claim=True) == [False]
        assert other.add(payment("b", START + 1)) == [True]
    time.sleep(0.3)
    with other.transaction():
        assert other.add(payment("a"), claim=True) == [True]
        assert other.history(payment("a"))[0]["card"]["amount"].tolist() == []
        other.set_answers(payment("a"), ["{}"])
        assert find(other).answer == "{}"


def test_only_one_of_two_replicas_may_answer_an_event(replicas: Replicas) -> None:
    one, two = replicas
    with one.transaction(), two.transaction():
        assert one.add(payment("a")) == [True]  # stored by POST /v1/events
        assert one.add(payment("a")) == [False]
        assert one.add(payment("a"), claim=True) == [True]
        assert two.add(payment("a"), claim=True) == [False]
        one.set_answers(payment("a"), ["{}"])
        assert two.add(payment("a"), claim=True) == [False]


def test_a_late_answer_does_not_replace_the_first(replicas: Replicas) -> None:
    one, two = replicas
    with one.transaction(), two.transaction():
        one.add(payment("a"), claim=True)
        time.sleep(0.3)  # the claim expires before the answer
        assert two.add(payment("a"), claim=True) == [True]
        for store, answer in ((two, "first"), (one, "late")):
            store.set_answers(payment("a"), [answer])
        assert find(one).answer == "first"


def test_erase_leaves_no_trace(replicas: Replicas, redis: str) -> None:
    store, _ = replicas
    with store.transaction():
        store.add(payment("a", card="me", shop="s"), claim=True)
    assert store.erase("card", "me") == 1
    with Redis.from_url(redis, decode_responses=True) as client:
        assert {key.partition(":")[0] for key in client.scan_iter()} <= {"events"}


def test_recovers_from_a_restart(start_redis: StartRedis, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with closing(RedisStore(f"redis://127.0.0.1:{port}/0", HISTORY)) as store:
        with pytest.raises(StateUnavailable, match="ConnectionError"), store.transaction():
            pass
        with start_redis(tmp_path, port), store.transaction():
            store.add(payment("a"))
        with pytest.raises(StateUnavailable), store.transaction():
            pass
        with start_redis(tmp_path, port), store.transaction():
            assert store.add(payment("a")) == [False]


@pytest.mark.parametrize("url", ["redis://me:secret@h:port/0", "redis://me:sec/ret@h/0"])
def test_refuses_an_address_without_quoting_its_password(url: str) -> None:
    with pytest.raises(UserError, match="STATE_URL is not redis://") as error:
        RedisStore(url, HISTORY)
    assert "sec" not in str(error.value)


def test_errors_do_not_quote_events(replicas: Replicas, redis: str) -> None:
    with Redis.from_url(redis) as client:
        client.set("entity:card:4111111111111111", "no sorted set")
    with (
        pytest.raises(EventRefused, match=r"cannot be used: ResponseError\.$"),
        replicas[0].transaction(),
    ):
        replicas[0].add(payment("a", card="4111111111111111"))


@contextmanager
def configured(url: str, name: str, value: str) -> Iterator[Redis]:
    """Change a setting of the Redis."""
    with Redis.from_url(url, decode_responses=True) as client:
        usual = client.config_get(name)[name]
        client.config_set(name, value)
        try:
            yield client
        finally:
            client.config_set(name, usual)


def test_error_names_the_code_of_redis(replicas: Replicas, redis: str) -> None:
    with (
        configured(redis, "min-replicas-to-write", "1"),
        pytest.raises(StateUnavailable, match=r"cannot be used: ResponseError, NOREPLICAS\.$"),
        replicas[0].transaction(),
    ):
        pass


def test_refuses_a_redis_that_deletes_events(replicas: Replicas, redis: str) -> None:
    with (
        configured(redis, "maxmemory-policy", "allkeys-lru"),
        pytest.raises(StateUnavailable, match="policy, allkeys-lru, to noeviction"),
    ):
        replicas[0].delete_expired(0)
    with replicas[0].transaction():
        assert replicas[0].add(payment("a")) == [True]


def test_warns_of_a_redis_that_forgets(
    replicas: Replicas, redis: str, caplog: pytest.LogCaptureFixture
) -> None:
    with configured(redis, "appendonly", "no"), replicas[0].transaction():
        assert "set its appendonly to yes" in caplog.text


def test_a_full_redis_is_noticed_without_an_event(replicas: Replicas, redis: str) -> None:
    with configured(redis, "maxmemory", "1"), pytest.raises(StateUnavailable, match="OutOfMemory"):
        replicas[0].delete_expired(0)
    assert replicas[0].delete_expired(0) == 0
