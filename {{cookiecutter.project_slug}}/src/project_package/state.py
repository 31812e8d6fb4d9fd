"""The state: what the server remembers of each card, product or household, in one SQLite file.

Rows of one entity lie together, packed, a stretch of time in one blob; so a look at the past reads
a few blobs, and what is kept of a row takes its columns' bytes. What was read stays in memory.
Everything happens in a transaction; a process that dies before its end leaves nothing of it. What
was committed when `sync` is called is on disk when that returns, whatever happens to the machine;
transactions go on meanwhile. Several processes may share the file: each sees in its transaction
what the others committed before.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .contract import Columns, Memory, Past
from .errors import Unavailable, UserError
from .history import EVENT
from .windows import MILLISECONDS_A_DAY

Rows: TypeAlias = NDArray[Any]
Key: TypeAlias = tuple[str, str]
"""An entity and a name of it: a column, and one of its values."""

STRETCHES = 4
"""Of an entity's days: a blob holds that part of them."""
CACHED = 50_000
"""Names whose rows stay in memory; those looked at longest ago make room."""
BUSY_MS = 5_000
"""How long a transaction waits for that of another process."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS past (
  entity TEXT, name TEXT, stretch INTEGER, rows BLOB, PRIMARY KEY (entity, name, stretch)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, timestamp INTEGER, name TEXT);
CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, answer TEXT);
"""


class StateUnusable(Unavailable):
    """The state cannot be read or written now; nothing of the transaction happened."""


class State:
    """The remembered rows of a use case's entities."""

    def __init__(self, path: Path, memory: Memory) -> None:
        """Open or make the file; raise UserError when it cannot be."""
        self._memory = memory
        self._types = {entity: _record(memory, entity) for entity in memory.entities}
        self._cache: OrderedDict[Key, Rows] = OrderedDict()
        self._changed: set[tuple[Key, int]] = set()
        self._version = -1
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._file.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.executescript(SCHEMA)
            self._journal = path.with_name(f"{path.name}-wal").open("rb")
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"The state {path} cannot be opened: {error}.") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do what is inside whole or not at all.

        Raises:
            StateUnusable: the file cannot be read or written, or another process holds it too long.
        """
        done = False
        try:
            self._begin()
            yield
            self._commit()
            done = True
        except sqlite3.Error as error:
            raise StateUnusable(f"The state cannot be used: {error}.") from error
        finally:
            if not done:
                self._rollback()

    def _begin(self) -> None:
        """Start a transaction; what another process wrote meanwhile is read anew."""
        self._file.execute("BEGIN IMMEDIATE")
        version = self._file.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._cache.clear()
            self._version = version

    def _commit(self) -> None:
        """Write what changed."""
        for key, stretch in self._changed:
            rows = self._cache[key]
            stretches = self._stretches(key[0], rows["timestamp"])
            part = rows[stretches == stretch]
            self._file.execute(
                "INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?)", (*key, stretch, part.tobytes())
            )
            oldest = int(stretches[-1]) - STRETCHES  # before it, nothing is looked at any more
            if stretches[0] < oldest:
                old = "DELETE FROM past WHERE entity = ? AND name = ? AND stretch < ?"
                self._file.execute(old, (*key, oldest))
                self._cache[key] = rows[stretches >= oldest]
        self._file.execute("COMMIT")
        self._changed.clear()
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    def _rollback(self) -> None:
        """Forget what was not committed."""
        if self._file.in_transaction:
            self._file.execute("ROLLBACK")
        self._changed.clear()
        self._cache.clear()

    def sync(self) -> None:
        """Return when all that was committed is on disk: what SQLite does itself when it is FULL.

        Raises:
            StateUnusable: the disk fails.
        """
        try:
            os.fsync(self._journal.fileno())
        except OSError as error:
            raise StateUnusable(f"The state cannot be kept: {error}.") from error

    def size(self) -> int:
        """Give the bytes of the file and of what is on its way into it."""
        parts = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def past(self, rows: Columns, place: int) -> Past:
        """Give the remembered rows of each entity of a row, up to the row's time."""
        until = int(rows["timestamp"][place])
        found = {}
        for entity, names in self._memory.entities.items():
            mine = self._rows((entity, str(rows[entity][place])))
            since = until - round(self._memory.days[entity] * MILLISECONDS_A_DAY)
            first, end = np.searchsorted(mine["timestamp"], (since, until), side="right")
            found[entity] = {name: mine[name][first:end] for name in ("timestamp", *names)}
        return found

    def add(self, rows: Columns, place: int) -> bool:
        """Remember a row; False when its name was known, and nothing changes."""
        number = identity(rows[EVENT][place])
        timestamp = int(rows["timestamp"][place])
        late = str(rows[self._late][place]) if self._late else ""
        insert = "INSERT OR IGNORE INTO events VALUES (?, ?, ?)"
        if not self._file.execute(insert, (number, timestamp, late)).rowcount:
            return False
        for entity, kind in self._types.items():
            key = (entity, str(rows[entity][place]))
            mine = self._rows(key)
            record = np.zeros(1, kind)
            for name in kind.names or ():
                record[name] = number if name == EVENT else rows[name][place]
            where = int(np.searchsorted(mine["timestamp"], timestamp, side="right"))
            self._cache[key] = np.concatenate([mine[:where], record, mine[where:]])
            self._changed.add((key, self._stretch(entity, timestamp)))
        return True

    def label(self, labels: Columns, place: int) -> bool:
        """Set what became known of a row; False when no such row is remembered."""
        number = identity(labels[EVENT][place])
        found = self._file.execute("SELECT timestamp, name FROM events WHERE id = ?", (number,))
        row = found.fetchone()
        if row is None:
            return False
        timestamp, name = row
        key = (self._late, name)
        mine = self._rows(key).copy()  # a past that was given stays as it was
        for column in self._memory.late:
            mine[column][mine[EVENT] == number] = labels[column][place]
        self._cache[key] = mine
        self._changed.add((key, self._stretch(self._late, timestamp)))
        return True

    def answer(self, name: str) -> str | None:
        """Give the answer that was kept for a row."""
        query = "SELECT answer FROM answers WHERE id = ?"
        row = self._file.execute(query, (identity(name),)).fetchone()
        return None if row is None else str(row[0])

    def keep_answers(self, answers: Mapping[str, str]) -> None:
        """Keep the answers to rows, by their names, for those who ask again."""
        pairs = [(identity(name), answer) for name, answer in answers.items()]
        self._file.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", pairs)

    @property
    def _late(self) -> str:
        """The entity whose rows labels change; an empty name when there is none."""
        entities = self._memory.entities.items()
        return next((e for e, names in entities if {*names} & {*self._memory.late}), "")

    def _rows(self, key: Key) -> Rows:
        """Give all rows of a name, in order of time."""
        if (known := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return known
        query = "SELECT rows FROM past WHERE entity = ? AND name = ? ORDER BY stretch"
        blobs = self._file.execute(query, key).fetchall()
        rows = np.frombuffer(b"".join(blob for (blob,) in blobs), self._types[key[0]])
        self._cache[key] = rows
        return rows

    def _stretch(self, entity: str, timestamp: int) -> int:
        return int(self._stretches(entity, np.array(timestamp)))

    def _stretches(self, entity: str, timestamp: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number the stretches of time that rows lie in."""
        return timestamp // round(self._memory.days[entity] * MILLISECONDS_A_DAY / STRETCHES)


def identity(name: str) -> int:
    """Give the 64-bit number of a row's name.

    Among a hundred million names, the chance that two have one number is 1 in 3,700.
    """
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _record(memory: Memory, entity: str) -> np.dtype[Any]:
    """Give the packed form of a row of an entity; its number too, where labels must find it."""
    names = memory.entities[entity]
    late = [(EVENT, "<i8")] if {*names} & {*memory.late} else []
    return np.dtype([("timestamp", "<i8"), *late, *((name, "<f8") for name in names)])
