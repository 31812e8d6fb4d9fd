"""What the state needs of the place where it lies: a SQLite file and a Redis both give it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeAlias

from .errors import Unavailable

Shelf: TypeAlias = tuple[int, int]
"""Where values lie that are dropped together: of one kind and one stretch of time."""
Key: TypeAlias = tuple[int, bytes]
"""A kind, and what a value is found by in each shelf of it."""
Values: TypeAlias = Mapping[Shelf, Mapping[bytes, bytes]]
Found: TypeAlias = Mapping[int, bytes]
"""The values of a key, by stretch, where there is one."""


class StateUnusable(Unavailable):
    """The state cannot be read or written now; nothing of the transaction happened."""


class Keeper(Protocol):
    """Where values lie, by shelf and key. What reads and writes happens in a transaction."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What any of these raise when the place cannot be used now."""

    def begin(self) -> Collection[Key] | None:
        """Start a transaction; give what others wrote since the last one, None if it may be all."""

    def read(self, kind: int, stretches: Sequence[int], keys: Sequence[bytes]) -> list[Found]:
        """Give what each of the keys has in shelves of one kind."""

    def commit(self, values: Values, drop: Sequence[Shelf]) -> None:
        """Write values, drop shelves and end the transaction: all of it happens, or nothing."""

    def rollback(self) -> None:
        """End the transaction; raise nothing."""

    def sync(self) -> None:
        """Return when what was committed is safe from a failing machine; from any thread."""

    def size(self) -> int | None:
        """Give the bytes that all takes, when that is known at once; from any thread."""

    def close(self) -> None:
        """Let go of the place."""
