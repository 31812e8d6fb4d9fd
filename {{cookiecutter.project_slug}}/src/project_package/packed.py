"""How the state packs what it remembers: the rows of a name as records, and what names are known.

A record is timestamp and columns of the entity, in order of time; where labels must find a row, its
number too. Wider records, which hold many zeros, are compressed; others would gain too little.
"""

import struct
import zlib
from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .contract import Columns, Memory
from .history import EVENT
from .windows import MILLISECONDS_A_DAY

Rows: TypeAlias = NDArray[Any]
WIDE = 32
"""Bytes of a record from which it is compressed."""


class Event(NamedTuple):
    """What is known of a row by its name."""

    stretch: int
    """Of time, that the row lies in."""
    day: int
    """When it came, by the newest row's time: a late row has an answer as long as another."""
    place: int
    """How many rows came before it: answers lie in the order in which they were given."""
    late: str
    """Its name in the entity whose rows labels change; empty when there is none."""

    def packed(self) -> bytes:
        """Pack all but the stretch, which tells where it lies."""
        return self.day.to_bytes(2) + self.answered() + self.late.encode()

    def answered(self) -> bytes:
        """Give what its answer is found by."""
        return self.place.to_bytes(5)


def event(stretch: int, value: bytes) -> Event:
    """Unpack an event."""
    day, place, late = value[:2], value[2:7], value[7:]
    return Event(stretch, int.from_bytes(day), int.from_bytes(place), late.decode())


def day(timestamp: int) -> int:
    """Give the day, since 1970, of a time in milliseconds."""
    return timestamp // MILLISECONDS_A_DAY


@lru_cache(4_096)
def number(name: str) -> bytes:
    """Give the 64-bit number of a row's name.

    Among a hundred million names, the chance that two have one number is 1 in 3,700.
    """
    return blake2b(name.encode(), digest_size=8).digest()


def record(memory: Memory, entity: str) -> np.dtype[Any]:
    """Give the type of an entity's records."""
    names = memory.entities[entity]
    late = [(EVENT, "<u8")] if {*names} & {*memory.late} else []
    return np.dtype([("timestamp", "<i8"), *late, *((name, "<f8") for name in names)])


@cache
def form(kind: np.dtype[Any]) -> struct.Struct:
    """Give what packs one record: faster than numpy does."""
    fields = (kind[name].char for name in kind.names or ())
    return struct.Struct("<" + "".join({"l": "q", "L": "Q"}.get(char, char) for char in fields))


def pack(rows: Rows) -> bytes:
    """Pack records."""
    return zlib.compress(rows.tobytes(), 1) if rows.itemsize > WIDE else rows.tobytes()


def unpack(value: bytes, kind: np.dtype[Any]) -> bytes:
    """Give the bytes of records, one after the other."""
    return zlib.decompress(value) if kind.itemsize > WIDE else value


def _told(name: str, rows: Columns, place: int) -> Any:
    """Give what a record has of a row in a field."""
    told = rows[name][place]
    return int.from_bytes(number(told)) if name == EVENT else told


def same(records: Rows, rows: Columns, place: int, late: Sequence[str]) -> bool:
    """Tell whether one of the records says what a row says, whatever became known of it late."""
    for name in records.dtype.names or ():
        if name not in late:
            records = records[records[name] == _told(name, rows, place)]
    return len(records) > 0


def inserted(records: Rows, since: int, rows: Columns, place: int) -> Rows:
    """Put a row among the records that are not older than `since`; after those of its moment."""
    times, timestamp = records["timestamp"], int(rows["timestamp"][place])
    first = int(times.searchsorted(since)) if len(times) and times[0] < since else 0
    is_last = not len(times) or times[-1] <= timestamp
    where = len(times) if is_last else int(times.searchsorted(timestamp, side="right"))
    told = (_told(name, rows, place) for name in records.dtype.names or ())
    new = form(records.dtype).pack(*told)
    return np.frombuffer(
        b"".join((records[first:where].tobytes(), new, records[where:].tobytes())), records.dtype
    )
