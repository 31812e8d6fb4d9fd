"""The state: what the server remembers of each card, product or household.

Rows of one entity lie together, packed, a stretch of time in one value; so a look at the past reads
a few values, and what is kept of a row takes its columns' bytes. Everything happens in a
transaction; a process that dies before its end leaves nothing of it, and one that dies after takes
nothing along. `sync` makes that true of the machine too, while the next transaction goes on. What
was read stays in memory until another process changes it. Where the values lie is up to the keeper.

Time is that of the newest row. A row older than any row can look back to, and a stretch more, is
not remembered, and what was kept of that time is dropped: rows, the names of events, answers. So a
request may come late by a stretch and still find all it needs.
"""

import math
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..contract import Columns, Memory, Past
from ..features.history import EVENT
from .base import Keeper, Key, Shelf, StateUnusable
from ..packed import Event, Rows, day, event, inserted, number, pack, record, same, unpack
from .sqlite import SqliteKeeper
from ..features.windows import MILLISECONDS_A_DAY

EVENTS, ANSWERS, ABOUT, ENTITIES = range(4)
"""Kinds of values; the entities follow."""
STRETCHES = 4
"""A stretch of time is that part of the days that a row can look back."""
ANSWER_DAYS = 7
"""How long the answer to a row is kept for those who ask again."""
CACHED = 50_000
"""Names whose rows stay in memory; those looked at longest ago make room."""
FORM = 2  # of what is kept: another one is not read


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
        self._types = {kind: record(memory, entity) for entity, kind in self._kinds.items()}
        late = {*memory.late}
        self._late = next((e for e, names in memory.entities.items() if late & {*names}), "")
        days = max(memory.days.values(), default=1)
        self._span = math.ceil(days * MILLISECONDS_A_DAY / STRETCHES)
        self._newest: int | None = None
        self._given = 0
        self._stale = True
        self._cache: OrderedDict[Key, Rows] = OrderedDict()
        self._before: dict[Key, Rows] = {}
        self._events: dict[bytes, Event | None] = {}
        self._changed: set[tuple[Key, int]] = set()
        self._values: dict[Shelf, dict[bytes, bytes]] = {}
        self._drop: list[Shelf] = []
        self._keeper = _keeper(address, (EVENTS, *self._types), [ANSWERS])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what is inside whole or not at all.

        Raises:
            StateUnusable: the state cannot be read or written, another holds it too long, or it
                was written for other entities or columns.
        """
        done, before = False, (self._newest, self._given)
        try:
            self._refresh(self._keeper.begin())
            before = self._newest, self._given
            yield
            self._commit()
            done = True
        except self._keeper.failures as error:
            self._stale = True
            raise StateUnusable(f"The state cannot be used: {str(error).rstrip('.')}.") from error
        finally:
            if not done:
                self._keeper.rollback()
                self._cache.update(self._before)
                if self._newest != before[0]:  # what was read since lacks what was to be dropped
                    self._cache.clear()
                self._newest, self._given = before
            for pending in (self._before, self._events, self._changed, self._values, self._drop):
                pending.clear()

    def _refresh(self, changed: Collection[Key] | None) -> None:
        """Forget what was read before others wrote."""
        if changed is None or self._stale:
            self._stale = True
            self._cache.clear()
        for key in changed or ():
            self._cache.pop(key, None)
        if self._stale or changed or self._newest is None:
            self._read_about()
        self._stale = False

    def _read_about(self) -> None:
        """Read the newest row's time; refuse a state of another form."""
        mine = repr((FORM, self._types, self._span)).encode()
        layout, newest, given = self._keeper.read(ABOUT, [0], [b"layout", b"newest", b"given"])
        if layout.get(0, mine) != mine:
            raise StateUnusable(
                "The state was written for other entities or columns than the program has: name "
                "another with STATE_URL, and fill it with `ml remember`."
            )
        self._newest, self._given = int(newest[0]) if newest else None, int(given.get(0, 0))
        if not newest:
            self._put((ABOUT, 0), b"layout", mine)

    def _commit(self) -> None:
        """Write what changed."""
        for (kind, name), stretch in self._changed:
            rows = self._cache[kind, name]
            ends = (stretch * self._span, (stretch + 1) * self._span)
            first, end = rows["timestamp"].searchsorted(ends)
            self._put((kind, stretch), name, pack(rows[first:end]))
        self._keeper.commit(self._values, self._drop)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    def sync(self) -> None:
        """Return when all commits are safe from a failing machine; raise StateUnusable if not."""
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

    def look_up(self, works: Iterable[Columns]) -> None:
        """Read at once what will be asked of rows, or labels: else it is read one by one."""
        found = list(works)
        numbers = {number(name) for rows in found for name in rows[EVENT].tolist() if name}
        self._read_events([*numbers])
        for entity, kind in self._kinds.items():
            names = {name for rows in found if entity in rows for name in rows[entity].tolist()}
            if entity == self._late:
                names |= {known.late for n in numbers if (known := self._events[n])}
            self._read_rows([(kind, name.encode()) for name in names])

    def is_old(self, rows: Columns, place: int) -> bool:
        """Tell whether a row is older than all that is kept."""
        stretches = self._stretches
        return bool(stretches) and int(rows["timestamp"][place]) // self._span < stretches[0]

    def covers(self, rows: Columns, place: int) -> bool:
        """Tell whether all that a row can look back to is kept still; not when it is too late."""
        stretches = self._stretches
        return not stretches or int(rows["timestamp"][place]) // self._span >= stretches[-2]

    def past(self, rows: Columns, place: int) -> Past:
        """Give the remembered rows of each entity of a row, up to the row's time."""
        until = int(rows["timestamp"][place])
        found = {}
        for entity, names in self._memory.entities.items():
            mine = self._rows(self._key(entity, rows, place))
            since = until - round(self._memory.days[entity] * MILLISECONDS_A_DAY)
            first, end = mine["timestamp"].searchsorted((since, until), side="right")
            found[entity] = {name: mine[name][first:end] for name in ("timestamp", *names)}
        return found

    def add(self, rows: Columns, place: int) -> bool:
        """Remember a row; False when its name is known or it is too old, and nothing changes."""
        name, timestamp = number(rows[EVENT][place]), int(rows["timestamp"][place])
        stretch = timestamp // self._span
        if self._event(name) or self.is_old(rows, place):
            return False
        self._go_on(timestamp)
        late = str(rows[self._late][place]) if self._late else ""
        new = Event(stretch, day(self._newest or 0), self._given, late)
        self._given += 1
        self._put((ABOUT, 0), b"given", str(self._given).encode())
        self._events[name] = new
        self._put((EVENTS, stretch), name, new.packed())
        for entity in self._kinds:
            key = self._key(entity, rows, place)
            since = self._stretches[0] * self._span
            self._change(key, inserted(self._rows(key), since, rows, place), stretch)
        return True

    def holds(self, rows: Columns, place: int) -> bool:
        """Tell whether a row whose name is known says what the remembered one says."""
        late, keys = self._memory.late, [self._key(entity, rows, place) for entity in self._kinds]
        return all(same(self._rows(key), rows, place, late) for key in keys)

    def label(self, labels: Columns, place: int) -> bool:
        """Set what became known of a row; False when no such row is remembered."""
        name = number(labels[EVENT][place])
        if (known := self._event(name)) is None:
            return False
        key = (self._kinds[self._late], known.late.encode())
        mine = self._rows(key).copy()  # a past that was given stays as it was
        for column in self._memory.late:
            mine[column][mine[EVENT] == int.from_bytes(name)] = labels[column][place]
        self._change(key, mine, known.stretch)
        return True

    def answer(self, name: str) -> str | None:
        """Give the answer that was kept for a row."""
        if (known := self._event(number(name))) is None:
            return None
        key, shelf = known.answered(), (ANSWERS, known.day)
        pending = self._values.get(shelf, {}).get(key)
        found = pending or self._keeper.read(ANSWERS, shelf[1:], [key])[0].get(known.day)
        return None if found is None else found.decode()

    def keep_answers(self, answers: Mapping[str, str]) -> None:
        """Keep the answers to remembered rows, by their names, for those who ask again."""
        for name, answer in answers.items():
            known = self._event(number(name))
            if known and self._newest and known.day >= day(self._newest) - ANSWER_DAYS:
                self._put((ANSWERS, known.day), known.answered(), answer.encode())

    def _put(self, shelf: Shelf, key: bytes, value: bytes) -> None:
        self._values.setdefault(shelf, {})[key] = value

    def _change(self, key: Key, rows: Rows, stretch: int) -> None:
        """Take other rows of a name, of which those of a stretch are to be written."""
        self._before.setdefault(key, self._cache[key])
        self._cache[key] = rows
        self._changed.add((key, stretch))

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
        gone_days = range(day(timestamp if old is None else old), day(timestamp))
        self._drop += [(kind, s) for kind in (EVENTS, *self._kinds.values()) for s in gone]
        self._drop += [(ANSWERS, gone_day - ANSWER_DAYS) for gone_day in gone_days]
        if old is None or gone or gone_days:
            self._put((ABOUT, 0), b"newest", str(timestamp).encode())

    def _key(self, entity: str, rows: Columns, place: int) -> Key:
        return self._kinds[entity], str(rows[entity][place]).encode()

    def _event(self, name: bytes) -> Event | None:
        """Give what is known of an event; read once in a transaction."""
        if name not in self._events:
            self._read_events([name])
        return self._events[name]

    def _read_events(self, names: list[bytes]) -> None:
        found = self._keeper.read(EVENTS, self._stretches, names)
        for name, values in zip(names, found, strict=True):
            known = (event(stretch, value) for stretch, value in values.items())
            self._events[name] = next(known, None)

    def _rows(self, key: Key) -> Rows:
        """Give all rows of a name, in order of time."""
        if key not in self._cache:
            self._read_rows([key])
        self._cache.move_to_end(key)
        return self._cache[key]

    def _read_rows(self, keys: list[Key]) -> None:
        """Read the rows of names of one entity, those that are not known."""
        if not (keys := [key for key in keys if key not in self._cache]):
            return
        kind = keys[0][0]
        found = self._keeper.read(kind, self._stretches, [name for _, name in keys])
        for key, values in zip(keys, found, strict=True):
            parts = (unpack(values[stretch], self._types[kind]) for stretch in sorted(values))
            self._cache[key] = np.frombuffer(b"".join(parts), self._types[kind])


def _keeper(address: str | Path, scattered: Sequence[int], in_order: Sequence[int]) -> Keeper:
    if not str(address).startswith(("redis://", "rediss://")):
        return SqliteKeeper(Path(address), scattered, in_order)
    from .redis import RedisKeeper  # noqa: PLC0415 - its library takes a third of a second

    return RedisKeeper(str(address))
