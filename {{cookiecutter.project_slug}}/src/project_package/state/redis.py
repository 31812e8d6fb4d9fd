"""The event store in a Redis, which replicas of the server on several machines share.

`event:KEY` is an event in JSON, with its order of receipt, and `answer:KEY` its answer. The sorted
set `entity:NAME:ID` has the keys of an entity's events by timestamp. Redis deletes each of them
when the retention is over.

There is no lock, and a transaction is not atomic: an event is stored before its answer. `claim:KEY`
names the replica that is answering it, for some seconds; if it fails, others may answer then.

Durability is up to the Redis: with `appendonly yes`, `appendfsync always` and `maxmemory-policy
noeviction` it loses nothing. Keys have no hash tags: a Redis Cluster is not supported.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import resources
from itertools import chain
from typing import Any
from uuid import uuid4

from pydantic_core import from_json, to_json
from redis import Redis, RedisError
from redis.exceptions import NoPermissionError, ResponseError

from ..columns import TIMESTAMP, Columns, columns_of
from ..contract.history import History, HistoryRows
from ..errors import UserError
from .event_store import (
    MAX_HISTORY,
    MILLISECOND,
    OTHER_COLUMNS,
    PROBE_BYTES,
    EventRefused,
    StateUnavailable,
    StoredEvent,
    first_rows,
    label_columns,
    look_backs,
    retention,
    to_columns,
    to_histories,
    to_values,
)

log = logging.getLogger(__name__)
ADD = resources.files(__package__).joinpath("add_event.lua").read_text(encoding="utf-8")


@contextmanager
def _reported() -> Iterator[None]:
    """Raise StateUnavailable for an error of Redis, with its code: its text may quote events."""
    try:
        yield
    except RedisError as error:
        code = str(error).partition(" ")[0]  # such as DENIED or OOM
        reason = f"{type(error).__name__}{f', {code}' if code.isupper() else ''}"
        message = f"The event store cannot be used: {reason}."
        is_of_key = isinstance(error, ResponseError) and "WRONGTYPE" in str(error)
        raise (EventRefused if is_of_key else StateUnavailable)(message) from None


class RedisStore:
    """The events of a use case in a Redis."""

    def __init__(
        self,
        url: str,
        history: History,
        claim_seconds: float = 10,
        max_history: int = MAX_HISTORY,
    ) -> None:
        """Parse the URL, or raise UserError. The Redis need not be there yet."""
        self._history = history
        self._max_history = max_history
        self._columns = columns_of(history.event)
        self._key = {name: self._columns[name] for name in history.key}
        kinds = {name: kind.__name__ for name, kind in self._columns.items()}
        self._layout = _json([kinds, history.key, [entity.name for entity in history.entities]])
        self._retention = retention(history) // MILLISECOND
        self._replica = str(uuid4())
        self._claim_time = round(claim_seconds * 1000)
        try:  # Any: the types of the library are also those of its asynchronous client
            self._redis: Any = Redis.from_url(url, decode_responses=True, socket_timeout=5)
        except ValueError:  # its message may quote the password
            raise UserError(
                "STATE_URL is not redis://user:password@host:port/number: correct it, and write "
                "characters such as @ : / in a password as %40 %3A %2F."
            ) from None
        self._add = self._redis.register_script(ADD)
        self._is_checked = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Check that the columns are the same; Redis makes each write durable on its own."""
        with _reported():
            self._redis.setnx("events:layout", self._layout)
            if self._redis.get("events:layout") != self._layout:
                raise StateUnavailable(OTHER_COLUMNS)
            if not self._is_checked:
                self._check_durability()
            yield

    def find_events(self, rows: Columns) -> list[StoredEvent | None]:
        """Return the stored event with each row's key; None where there is none."""
        keys = self._keys(rows)
        events = self._events(keys)
        answers = self._get("answer", keys)
        return [
            StoredEvent(events[key][1], answers.get(key, "")) if key in events else None
            for key in keys
        ]

    def add(self, rows: Columns, claim: bool = False) -> list[bool]:
        """Store events in this order; see `EventStore.add` for what is returned."""
        keys = self._keys(rows)
        pipeline = self._redis.pipeline()
        times = (self._retention, self._replica, self._claim_time if claim else 0)
        for key, values in zip(keys, to_values(rows, self._columns), strict=True):
            event = dict(zip(self._columns, values, strict=True))
            sets = [f"entity:{kind.name}:{event[kind.name]}" for kind in self._history.entities]
            names = [f"event:{key}", f"claim:{key}", f"answer:{key}", "events:sequence", *sets]
            self._add(names, [_json(event), event[TIMESTAMP], key, *times], client=pipeline)
        return [reply == 1 for reply in pipeline.execute()]

    def history(self, rows: Columns) -> list[HistoryRows]:
        """Return the events that features of rows read; see `EventStore.history`."""
        # 1. Find how many events there are, and when the last ones begin that features read.
        asked = look_backs(self._history, rows)
        pipeline = self._redis.pipeline(transaction=False)
        for (name, number), back in asked.items():
            key = f"entity:{name}:{number}"
            pipeline.zcount(key, f"({back.since}", back.last)
            pipeline.zcount(key, f"({back.first}", back.last)
            pipeline.zrevrangebyscore(key, back.first, f"({back.since}", back.rows - 1, 1, True)
        replies = pipeline.execute()
        sizes = zip(asked.items(), replies[::3], replies[1::3], strict=True)
        counts = {key: min(every, back.rows + late) for (key, back), every, late in sizes}
        oldest = dict(zip(asked, replies[2::3], strict=True))
        # 2. Read the keys of the events, then the events.
        rows = first_rows(self._history, rows, counts.__getitem__, self._max_history)
        asked = look_backs(self._history, rows)
        for (name, number), back in asked.items():
            first = oldest[name, number][0][1] if oldest[name, number] else f"({back.since}"
            pipeline.zrangebyscore(f"entity:{name}:{number}", first, back.last)
        keys = dict(zip(asked, pipeline.execute(), strict=True))
        events = self._events(chain.from_iterable(keys.values()))
        # 3. Sort them by time and receipt, without the rows themselves.
        own = set(self._keys(rows) if self._history.request_is_event else ())
        kinds = {entity.name: entity for entity in self._history.entities}
        histories = {}
        for (name, number), members in keys.items():
            columns = {n: self._columns[n] for n in (TIMESTAMP, *kinds[name].columns)}
            stored = [events[key] for key in members if key in events and key not in own]
            stored.sort(key=lambda event: (event[1][TIMESTAMP], event[0]))
            values = [
                tuple(event[column] for column in columns)
                for _, event in stored
                # The key of an expired event may be that of another entity's event now.
                if event[name] == number
            ]
            histories[name, number] = to_columns(values, columns)
        return to_histories(self._history, rows, histories)

    def set_answers(self, rows: Columns, answers: Sequence[str]) -> None:
        """Store the answers that were given for events; a stored one stays."""
        pipeline = self._redis.pipeline()
        for key, answer in zip(self._keys(rows), answers, strict=True):
            pipeline.set(f"answer:{key}", answer, nx=True, px=self._retention)
            pipeline.unlink(f"claim:{key}")
        pipeline.execute()

    def set_labels(self, rows: Columns) -> list[bool]:
        """Set label columns of stored events; False for a row whose key is not stored."""
        keys = self._keys(rows)
        pipeline = self._redis.pipeline()
        events = self._events(keys)
        labels = label_columns(self._history)
        for key, label in zip(keys, to_values(rows, labels), strict=True):
            if key in events:  # only labels change events, each all of them, so the last one counts
                sequence, event = events[key]
                event.update(zip(labels, label, strict=True))
                pipeline.set(f"event:{key}", _json([sequence, event]), xx=True, keepttl=True)
        pipeline.execute()
        return [key in events for key in keys]

    @_reported()
    def erase(self, kind: str, entity: str) -> int:
        """Delete all events of the entity with this id in the column `kind`; return how many."""
        own_set = f"entity:{kind}:{entity}"
        keys = self._redis.zrange(own_set, 0, -1)
        events = self._events(keys).items()
        erased = {key: event for key, (_, event) in events if event[kind] == entity}
        pipeline = self._redis.pipeline()
        if keys:  # an empty set is deleted
            pipeline.zrem(own_set, *keys)
        for key, event in erased.items():
            pipeline.unlink(f"event:{key}", f"answer:{key}", f"claim:{key}")
            for other in self._history.entities:  # whose sets have it too
                pipeline.zrem(f"entity:{other.name}:{event[other.name]}", key)
        pipeline.execute()
        return len(erased)

    def delete_expired(self, before: int) -> int:  # noqa: ARG002
        """Write a probe and return 0: the Redis itself deletes what has expired."""
        with self.transaction():  # which fails for a Redis that cannot be used
            self._redis.set("events:probe", "0" * PROBE_BYTES, px=1000)
        return 0

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _check_durability(self) -> None:
        """Raise StateUnavailable for a Redis that evicts events; warn when a restart loses them."""
        with suppress(NoPermissionError):
            info = self._redis.info()
            if (policy := info.get("maxmemory_policy", "noeviction")) != "noeviction":
                raise StateUnavailable(
                    f"The Redis deletes events to make room: set its maxmemory-policy, {policy}, "
                    "to noeviction."
                )
            if not info.get("aof_enabled", True):
                log.warning("the Redis loses events when it restarts: set its appendonly to yes")
        self._is_checked = True

    def _keys(self, rows: Columns) -> list[str]:
        return [_json(values) for values in to_values(rows, self._key)]

    def _events(self, keys: Iterable[str]) -> dict[str, tuple[int, dict[str, Any]]]:
        """Return the order of receipt and the columns of the events that are stored."""
        return {key: from_json(event) for key, event in self._get("event", keys).items()}

    def _get(self, kind: str, keys: Iterable[str]) -> dict[str, str]:
        keys = list(dict.fromkeys(keys))
        values = self._redis.mget([f"{kind}:{key}" for key in keys]) if keys else []
        return {key: value for key, value in zip(keys, values, strict=True) if value}


def _json(value: object) -> str:
    return to_json(value, inf_nan_mode="null").decode()
