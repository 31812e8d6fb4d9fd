"""A sequence of what is in a file, instead of a tuple of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LazySequence(Sequence[Value]):
    """A sequence whose values are read when they are used; it equals a tuple of them."""

    read: Callable[[int, int], Sequence[Value]]
    """Return the values at [start, end)."""
    start: int
    end: int

    def __len__(self) -> int:
        """Return the number of values."""
        return self.end - self.start

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Sequence[Value]:
        """Read a value; of a slice without a step, read nothing yet."""
        chosen = range(self.start, self.end)[index]
        if isinstance(chosen, int):
            return self.read(chosen, chosen + 1)[0]
        if chosen.step == 1:
            return LazySequence(self.read, chosen.start, chosen.start + len(chosen))
        return tuple(self)[index]

    def __iter__(self) -> Iterator[Value]:
        """Read all values at once."""
        return iter(self.read(self.start, self.end))

    def __eq__(self, other: object) -> bool:
        """Compare the values with those of a tuple, or of another sequence of this kind."""
        return isinstance(other, tuple | LazySequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Return the hash of the tuple."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """Return the text of the tuple: digests depend on the values only."""
        return repr(tuple(self))
