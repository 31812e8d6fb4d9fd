"""The state in a Redis, which several replicas of the server share.

A lock lets one transaction in at a time. What makes it safe is another thing: EXEC does nothing
when the lock or the version has changed since the transaction began, so one whose lock ran out
fails. A transaction is as durable as the Redis is: `appendonly yes` with `appendfsync always`, and
`maxmemory-policy noeviction`, lose nothing that was acknowledged.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from secrets import token_bytes

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import LockError
from redis.retry import Retry

from ..errors import UserError
from .base import Found, Key, Shelf, Values

SECONDS = 5
"""How long one answer of the Redis may take."""
HELD_SECONDS, WAIT_SECONDS, LOOK_SECONDS = 10, 15, 0.002
"""When a lock runs out whose holder died, how long others wait for it, how often they look."""
VERSION, LOCK = "{state}version", "{state}lock"  # braces: all keys on one node of a cluster


class RedisKeeper:
    """The keeper of a Redis."""

    failures = (RedisError,)

    def __init__(self, address: str) -> None:
        """Take the address; raise UserError when it is none."""
        once = Retry(NoBackoff(), 0)
        try:
            self._redis = Redis.from_url(
                address, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=once
            )
        except ValueError as error:
            raise UserError(f"STATE_URL cannot be understood: {error}.") from error
        self._lock = self._redis.lock(
            LOCK, HELD_SECONDS, LOOK_SECONDS, blocking_timeout=WAIT_SECONDS, thread_local=False
        )
        self._watched: Pipeline = self._redis.pipeline()
        self._version: bytes | str | None = None

    def begin(self) -> Collection[Key] | None:
        """Start a transaction; nobody knows what others wrote since the last one, only whether."""
        if not self._lock.acquire():
            raise LockError("another replica holds it too long")
        self._watched.watch(VERSION, LOCK)  # type: ignore[no-untyped-call]
        before, self._version = self._version, self._watched.get(VERSION)
        return None if self._version is None or self._version != before else ()

    def read(self, kind: int, stretches: Sequence[int], keys: Sequence[bytes]) -> list[Found]:
        """Give what each of the keys has in shelves of one kind; all are asked for at once."""
        pipeline = self._redis.pipeline(transaction=False)
        for stretch in stretches if keys else ():
            pipeline.hmget(_name((kind, stretch)), keys)
        shelves = list(zip(stretches, pipeline.execute(), strict=False))
        return [
            {stretch: values[place] for stretch, values in shelves if values[place] is not None}
            for place in range(len(keys))
        ]

    def commit(self, values: Values, drop: Sequence[Shelf]) -> None:
        """Write values, drop shelves and end the transaction."""
        self._watched.multi()
        for shelf, pairs in values.items():
            items = [part for pair in pairs.items() for part in pair]
            self._watched.hset(_name(shelf), items=items)
        for shelf in drop:
            self._watched.unlink(_name(shelf))
        version = self._version
        if values or drop:
            version = token_bytes(8)
            self._watched.set(VERSION, version)
        self._watched.delete(LOCK)
        self._watched.execute()
        self._version = version

    def rollback(self) -> None:
        """End the transaction."""
        with suppress(RedisError):
            self._watched.reset()
            self._lock.release()

    def sync(self) -> None:
        """Do nothing: a Redis is told how safe it must be by its own settings."""

    def size(self) -> None:
        """Give nothing: a Redis tells its size itself."""

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _name(shelf: Shelf) -> str:
    return f"{{state}}{shelf[0]}:{shelf[1]}"
