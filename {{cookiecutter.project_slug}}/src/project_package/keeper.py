"""What the state needs of the place where it lies: a SQLite file and a Redis both give it."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

Shelf: TypeAlias = tuple[int, int]
"""Where values lie that are dropped together: of one kind and one stretch of time."""
Values: TypeAlias = Mapping[Shelf, Mapping[bytes, bytes]]


class Keeper(Protocol):
    """Where values lie, by shelf and key. What reads and writes happens in a transaction."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What any of these raise when the place cannot be used now."""

    def begin(self) -> bool:
        """Start a transaction; tell whether others wrote since the last one."""

    def read(self, kind: int, stretches: Sequence[int], key: bytes) -> Mapping[int, bytes]:
        """Give the values of a key in shelves of one kind, by stretch, where there is one."""

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
