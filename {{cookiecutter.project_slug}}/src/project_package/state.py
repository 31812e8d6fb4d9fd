"""The state: what the server remembers of each card, product or household.

Rows of one entity lie together, packed, a stretch of time in one value; so a look at the past reads
a few values, and what is kept of a row takes its columns' bytes. Everything happens in a
transaction; a process that dies before its end leaves nothing of it, and one that dies after takes
nothing along. `sync` makes that true of the machine too, while the next transaction goes on. What
was read stays in memory until another process has written. Where the values lie is the keeper's
business: a SQLite file, or a Redis that several replicas share.

Time is that of the newest row. A row older than any row can look back to, and a stretch more, is
not remembered, and what was kept of that time is dropped: rows, the names of events, answers. So a
request may come late by a stretch and still find all it needs.
"""

import math
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .contract import Columns, Memory, Past
from .errors import Unavailable
from .history import EVENT
from .keeper import Keeper, Shelf
from .state_sqlite import SqliteKeeper
from .windows import MILLISECONDS_A_DAY

Rows: TypeAlias = NDArray[Any]
Key: TypeAlias = tuple[str, str]
"""An entity and a name of it: a column, and one of its values."""
Event: TypeAlias = tuple[int, int, str]
"""Stretch of a row, day on which it came, and its name in the entity whose rows labels change."""

EVENTS, ANSWERS, ABOUT, ENTITIES = range(4)
"""Kinds of values; the entities follow."""
STRETCHES = 4
"""A stretch of time is that part of the days that a row can look back."""
ANSWER_DAYS = 7
"""How long the answer to a row is kept for those who ask again."""
WIDE = 32
"""Bytes of a row. Wider ones, which hold many zeros, are compressed: others gain too little."""
CACHED = 50_000
"""Names whose rows stay in memory; those looked at longest ago make room."""


class StateUnusable(Unavailable):
    """The state cannot be read or written now; nothing of the transaction happened."""


class State:
    """The remembered rows of a use case's entities."""

    def __init__(self, address: str | Path, memory: Memory) -> None:
        """Open a SQLite file, made when it is not there, or a redis:// address.

        Raises:
            UserError: the file cannot be opened, or the address cannot be understood. (A Redis that
                does not answer may do so later: every transaction tries.)
        """
        self._memory = memory
        self._kinds = {entity: kind for kind, entity in enumerate(memory.entities, ENTITIES)}
        self._types = {entity: _record(memory, entity) for entity in memory.entities}
        self._late = next((e for e, kind in self._types.items() if EVENT in (kind.names or ())), "")
        days = max(memory.days.values(), default=1)
        self._span = math.ceil(days * MILLISECONDS_A_DAY / STRETCHES)
        self._newest: int | None = None
        self._stale = True
        self._cache: OrderedDict[Key, Rows] = OrderedDict()
        self._events: dict[bytes, Event | None] = {}
        self._changed: set[tuple[Key, int]] = set()
        self._values: dict[Shelf, dict[bytes, bytes]] = {}
        self._drop: list[Shelf] = []
        self._keeper = _keeper(address)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what is inside whole or not at all.

        Raises:
            StateUnusable: the state cannot be read or written, another holds it too long, or it
                was written for other entities or columns.
        """
        done = False
        try:
            if self._keeper.begin() or self._stale:
                self._refresh()
            yield
            self._commit()
            done = True
        except self._keeper.failures as error:
            raise StateUnusable(f"The state cannot be used: {error}.") from error
        finally:
            for pending in (self._events, self._changed, self._values, self._drop):
                pending.clear()
            if not done:
                self._stale = True
                self._keeper.rollback()

    def _refresh(self) -> None:
        """Forget what was read before others wrote."""
        self._cache.clear()
        layout = repr((self._types, self._span)).encode()
        if self._keeper.read(ABOUT, [0], b"layout").get(0, layout) != layout:
            raise StateUnusable(
                "The state was written for other entities or columns than the program has: name "
                "another with STATE_URL, and fill it with `ml remember`."
            )
        newest = self._keeper.read(ABOUT, [0], b"newest").get(0)
        self._newest = None if newest is None else int(newest)
        if newest is None:
            self._put((ABOUT, 0), b"layout", layout)
        self._stale = False

    def _commit(self) -> None:
        """Write what changed."""
        for key, stretch in self._changed:
            rows = self._cache[key]
            ends = (stretch * self._span, (stretch + 1) * self._span)
            first, end = rows["timestamp"].searchsorted(ends)
            self._put((self._kinds[key[0]], stretch), key[1].encode(), _packed(rows[first:end]))
        self._keeper.commit(self._values, self._drop)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    def sync(self) -> None:
        """Return when all that was committed before is safe from a failing machine, too.

        Raises:
            StateUnusable: it cannot be made safe.
        """
        try:
            self._keeper.sync()
        except self._keeper.failures as error:
            raise StateUnusable(f"The state cannot be kept: {error}.") from error

    def size(self) -> int | None:
        """Give the bytes that it takes; None when another place must be asked for that."""
        return self._keeper.size()

    def close(self) -> None:
        """Let go of the file or the connection."""
        self._keeper.close()

    def covers(self, rows: Columns, place: int) -> bool:
        """Tell whether all that a row can look back to is kept still; not when it is too late."""
        stretches = self._stretches
        return not stretches or int(rows["timestamp"][place]) // self._span >= stretches[-2]

    def past(self, rows: Columns, place: int) -> Past:
        """Give the remembered rows of each entity of a row, up to the row's time."""
        until = int(rows["timestamp"][place])
        found = {}
        for entity, names in self._memory.entities.items():
            mine = self._rows((entity, str(rows[entity][place])))
            since = until - round(self._memory.days[entity] * MILLISECONDS_A_DAY)
            first, end = mine["timestamp"].searchsorted((since, until), side="right")
            found[entity] = {name: mine[name][first:end] for name in ("timestamp", *names)}
        return found

    def add(self, rows: Columns, place: int) -> bool:
        """Remember a row; False when its name is known or it is too old, and nothing changes."""
        number, timestamp = _number(rows[EVENT][place]), int(rows["timestamp"][place])
        stretch = timestamp // self._span
        if self._event(number) or (self._stretches and stretch < self._stretches[0]):
            return False
        self._go_on(timestamp)
        day = _day(self._newest or 0)  # of the answer, which a late row has late
        late = str(rows[self._late][place]) if self._late else ""
        self._events[number] = stretch, day, late
        self._put((EVENTS, stretch), number, day.to_bytes(2) + late.encode())
        for entity, kind in self._types.items():
            key = (entity, str(rows[entity][place]))
            mine = self._rows(key)
            first = int(mine["timestamp"].searchsorted(self._stretches[0] * self._span))
            where = int(mine["timestamp"].searchsorted(timestamp, side="right"))
            grown = np.empty(len(mine) - first + 1, kind)
            grown[: where - first] = mine[first:where]
            grown[where - first] = tuple(
                int.from_bytes(number) if name == EVENT else rows[name][place]
                for name in kind.names or ()
            )
            grown[where - first + 1 :] = mine[where:]
            self._cache[key] = grown
            self._changed.add((key, stretch))
        return True

    def label(self, labels: Columns, place: int) -> bool:
        """Set what became known of a row; False when no such row is remembered."""
        number = _number(labels[EVENT][place])
        if (event := self._event(number)) is None:
            return False
        stretch, _, name = event
        mine = self._rows((self._late, name)).copy()  # a past that was given stays as it was
        for column in self._memory.late:
            mine[column][mine[EVENT] == int.from_bytes(number)] = labels[column][place]
        self._cache[self._late, name] = mine
        self._changed.add(((self._late, name), stretch))
        return True

    def answer(self, name: str) -> str | None:
        """Give the answer that was kept for a row."""
        number = _number(name)
        if (event := self._event(number)) is None:
            return None
        pending = self._values.get((ANSWERS, event[1]), {}).get(number)
        found = pending or self._keeper.read(ANSWERS, [event[1]], number).get(event[1])
        return None if found is None else found.decode()

    def keep_answers(self, answers: Mapping[str, str]) -> None:
        """Keep the answers to remembered rows, by their names, for those who ask again."""
        for name, answer in answers.items():
            number = _number(name)
            event = self._event(number)
            if event and self._newest and event[1] >= _day(self._newest) - ANSWER_DAYS:
                self._put((ANSWERS, event[1]), number, answer.encode())

    def _put(self, shelf: Shelf, key: bytes, value: bytes) -> None:
        self._values.setdefault(shelf, {})[key] = value

    @property
    def _stretches(self) -> range:
        """The stretches of time that are kept; none when there is no row yet."""
        if self._newest is None:
            return range(0)
        newest = self._newest // self._span
        return range(newest - STRETCHES - 1, newest + 1)

    def _go_on(self, timestamp: int) -> None:
        """Let time go on to that of a row, and drop what is too old then."""
        old, stretches = self._newest, self._stretches
        if old is not None and timestamp <= old:
            return
        self._newest = timestamp
        gone = range(stretches[0], self._stretches[0]) if stretches else range(0)
        days = range(_day(timestamp if old is None else old), _day(timestamp))
        self._drop += [(kind, s) for kind in (EVENTS, *self._kinds.values()) for s in gone]
        self._drop += [(ANSWERS, day - ANSWER_DAYS) for day in days]
        if old is None or gone or days:
            self._put((ABOUT, 0), b"newest", str(timestamp).encode())

    def _event(self, number: bytes) -> Event | None:
        """Give what is known of an event; read once in a transaction."""
        if number not in self._events:
            read = self._keeper.read(EVENTS, self._stretches, number)
            known = ((s, int.from_bytes(v[:2]), v[2:].decode()) for s, v in read.items())
            self._events[number] = next(known, None)
        return self._events[number]

    def _rows(self, key: Key) -> Rows:
        """Give all rows of a name, in order of time."""
        entity, name = key
        if (known := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return known
        read = self._keeper.read(self._kinds[entity], self._stretches, name.encode())
        kind = self._types[entity]
        parts = (_unpacked(read[stretch], kind) for stretch in sorted(read))
        rows = self._cache[key] = np.frombuffer(b"".join(parts), kind)
        return rows


def _keeper(address: str | Path) -> Keeper:
    if not str(address).startswith(("redis://", "rediss://")):
        return SqliteKeeper(Path(address))
    from .state_redis import RedisKeeper  # noqa: PLC0415 - its library takes a third of a second

    return RedisKeeper(str(address))


def _record(memory: Memory, entity: str) -> np.dtype[Any]:
    """Give the packed form of a row of an entity; its number too, where labels must find it."""
    names = memory.entities[entity]
    late = [(EVENT, "<u8")] if {*names} & {*memory.late} else []
    return np.dtype([("timestamp", "<i8"), *late, *((name, "<f8") for name in names)])


def _packed(rows: Rows) -> bytes:
    return zlib.compress(rows.tobytes(), 1) if rows.itemsize > WIDE else rows.tobytes()


def _unpacked(value: bytes, kind: np.dtype[Any]) -> bytes:
    return zlib.decompress(value) if kind.itemsize > WIDE else value


def _day(timestamp: int) -> int:
    return timestamp // MILLISECONDS_A_DAY


def _number(name: str) -> bytes:
    """Give the 64-bit number of a row's name.

    Among a hundred million names, the chance that two have one number is 1 in 3,700.
    """
    return blake2b(name.encode(), digest_size=8).digest()
