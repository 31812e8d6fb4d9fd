"""The baskets of all households in an Arrow file, which is mapped into memory, not read.

baskets.arrow   household_id, timestamp and items of each basket, sorted by household and time

Names are in the file once, and baskets have their codes. A row of a table refers to baskets of the
file: they become tuples of names when they are used, so memory does not grow with their number.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeVar, overload

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from ..columns import TIMESTAMP
from .features import HOUSEHOLD, ITEM, Items

FILE = "baskets.arrow"
Value = TypeVar("Value")


class Bought(NamedTuple):
    """The baskets of one household, in order of time."""

    household: str
    times: NDArray[np.int64]
    """(baskets,), milliseconds."""
    baskets: Sequence[Items]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Part(Sequence[Value]):
    """The values at [start, end) of what is read when it is used; it equals a tuple of them."""

    read: Callable[[int, int], Sequence[Value]]
    """Return the values of [start, end)."""
    start: int
    end: int

    def __len__(self) -> int:
        """Return the number of values."""
        return self.end - self.start

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> "Part[Value]": ...
    def __getitem__(self, index: int | slice) -> "Value | Part[Value]":
        """Read a value, or return a part that is not read yet."""
        chosen = range(self.start, self.end)[index]
        if isinstance(chosen, range):
            return Part(self.read, chosen.start, chosen.stop)
        return self.read(chosen, chosen + 1)[0]

    def __iter__(self) -> Iterator[Value]:
        """Read all values at once."""
        return iter(self.read(self.start, self.end))

    def __eq__(self, other: object) -> bool:
        """Compare the values with those of a tuple, or of another part."""
        return isinstance(other, tuple | Part) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Return the hash of the tuple."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """Return the text of the tuple: digests and cache keys depend on the values only."""
        return repr(tuple(self))


def write_baskets(purchases: Path, target: Path) -> None:
    """Write the baskets of a Parquet file of purchases."""
    rows = pl.scan_parquet(purchases)
    order = [HOUSEHOLD, TIMESTAMP]
    names = {name: rows.select(pl.col(name).unique().sort()) for name in (HOUSEHOLD, ITEM)}
    codes = [pl.col(name).cast(pl.Enum(each.collect()[name])) for name, each in names.items()]
    baskets = rows.with_columns(codes).group_by(order).agg(pl.col(ITEM).sort()).sort(order)
    # One batch without compression: its arrays can be used where they are in the file.
    table = baskets.collect(engine="streaming").rechunk()
    table.write_ipc(target, record_batch_size=len(table), compat_level=pl.CompatLevel.oldest())


def read_baskets(path: Path) -> Iterator[Bought]:
    """Yield the baskets of each household, which stay in the file."""
    batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    households, times, items = batch.columns
    offsets = items.offsets.to_numpy()
    codes = items.values.indices.to_numpy()
    names = np.array(items.values.dictionary.to_pylist(), object)

    def read(start: int, end: int) -> list[Items]:
        bounds = offsets[start : end + 1]
        found = names[codes[bounds[0] : bounds[-1]]].tolist()
        ends = (bounds - bounds[0]).tolist()
        return [tuple(found[first:last]) for first, last in pairwise(ends)]

    moments = times.cast(pa.int64()).to_numpy()
    of_household = np.bincount(households.indices.to_numpy())
    starts = [0, *np.cumsum(of_household).tolist()]
    for name, (start, end) in zip(households.dictionary.to_pylist(), pairwise(starts), strict=True):
        yield Bought(name, moments[start:end], Part(read, start, end))
