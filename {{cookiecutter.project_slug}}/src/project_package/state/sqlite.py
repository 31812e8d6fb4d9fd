"""The state in one SQLite file, which the processes of one machine may share.

Values of one shelf lie together, in the order of their keys, so what is too old goes by whole
pages. But each new value would touch a page of its own; so values of some kinds gather first, in
the order in which they come (`fresh`; each process knows them), and when there are many of a kind,
they move to their shelves, several to a page.

A transaction ends in the journal (SQLite's write-ahead log), of which `sync` makes sure that the
disk has it. So it may do that for many at once, beside the next transaction; SQLite would do it at
the end of each.
"""

import os
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from ..errors import UserError
from .base import Found, Key, Shelf, Values

Row: TypeAlias = tuple[int, bytes, bytes]
"""Stretch, key and value."""
PAGE = 4_096
JOURNAL = 4_000 * PAGE
"""Bytes of the journal that `sync` moves to the file; at eight times as many a transaction does."""
SYNCS_A_LOOK = 100
"""How often it is looked whether the journal has grown so far."""
BUSY_SECONDS, LOOK_SECONDS = 5, 0.001
"""How long a transaction waits for that of another process, and how often it looks."""
FRESH = 6_000
"""Values of a kind that gather before they move: the more, the less often and the longer."""
KEPT = """
CREATE TABLE IF NOT EXISTS kept (kind, stretch, key, value, PRIMARY KEY (kind, stretch, key))
WITHOUT ROWID
"""
READ = "SELECT stretch, value FROM kept WHERE kind = ? AND stretch IN (%s) AND key = ?"
WRITE = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)"
DROP = "DELETE FROM kept WHERE kind = ? AND stretch = ?"
GATHERED = "CREATE TABLE IF NOT EXISTS fresh_%d (number INTEGER PRIMARY KEY, stretch, key, value)"
GATHER = "INSERT INTO fresh_%d (stretch, key, value) VALUES (?, ?, ?)"
NEWS = "SELECT stretch, key, value FROM fresh_%d WHERE number > ? ORDER BY number"
MOVE = """
INSERT OR REPLACE INTO kept SELECT %d, stretch, key, value FROM fresh_%d
ORDER BY stretch, key, number
"""
FORGET = "DELETE FROM fresh_%d"
IN_ORDER = "CREATE TABLE IF NOT EXISTS kept_%d (place INTEGER PRIMARY KEY, value)"
READ_ONE = "SELECT value FROM kept_%d WHERE place = ?"
WRITE_ONE = "INSERT OR REPLACE INTO kept_%d VALUES (?, ?)"
DROP_RANGE = "DELETE FROM kept_%d WHERE place BETWEEN ? AND ?"


@dataclass
class _Fresh:
    """Values of a kind that did not move to their shelves yet, as the table has them."""

    known: dict[bytes, dict[int, bytes]] = field(default_factory=dict)
    count: int = 0

    def take(self, rows: Sequence[Row]) -> None:
        for stretch, key, value in rows:
            self.known.setdefault(key, {})[stretch] = value
        self.count += len(rows)

    def forget(self) -> None:
        self.known.clear()
        self.count = 0


class SqliteKeeper:
    """The keeper of a file. Its `user_version` counts moves: each process knows what it missed."""

    failures = (sqlite3.Error, OSError)

    def __init__(self, path: Path, scattered: Sequence[int], in_order: Sequence[int]) -> None:
        """Open or make the file; raise UserError when it cannot be.

        Values of `scattered` kinds gather before they move. Those of kinds `in_order` have numbers
        for keys, five bytes each, which grow with the time at which they come.
        """
        self._version = self._moves = -1
        self._lost: OSError | None = None
        self._syncs, self._in_order = 0, in_order
        self._fresh = {kind: _Fresh() for kind in scattered}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._file, self._mover = _connect(path), _connect(path)
            self._file.execute(KEPT)
            for table, kinds in ((GATHERED, scattered), (IN_ORDER, in_order)):
                for kind in kinds:
                    self._file.execute(table % kind)
            self._file.execute("PRAGMA busy_timeout = 0")
            self._paths = path, path.with_name(f"{path.name}-wal")
            self._journal = self._paths[1].open("rb")
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"The state {path} cannot be opened: {error}.") from error

    def begin(self) -> Collection[Key] | None:
        """Start a transaction; give what others wrote since the last one."""
        self._refuse_lost()
        self._wait()
        before, self._version = self._version, self._ask("PRAGMA data_version")
        return () if self._version == before else self._catch_up()

    def _refuse_lost(self) -> None:
        if self._lost:
            raise OSError(f"the disk lost what was written ({self._lost}): start the server again")

    def _wait(self) -> None:
        """Begin as soon as nobody else writes; SQLite would look ever more seldom."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._file.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                is_held = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_held or time.monotonic() > until:
                    raise
                time.sleep(LOOK_SECONDS)
            else:
                return

    def _catch_up(self) -> Collection[Key] | None:
        """Take in what others wrote."""
        before, moves = self._moves, self._ask("PRAGMA user_version")
        changed = set[Key]()
        for kind, fresh in self._fresh.items():
            if moves != before:
                fresh.forget()
            news = self._file.execute(NEWS % kind, [fresh.count]).fetchall()
            fresh.take(news)
            changed |= {(kind, key) for _, key, _ in news}
        self._moves = moves  # at last: what cannot be read now is forgotten and read next time
        return changed if moves == before else None

    def _ask(self, query: str) -> int:
        return int(self._file.execute(query).fetchone()[0])

    def read(self, kind: int, stretches: Sequence[int], keys: Sequence[bytes]) -> list[Found]:
        """Give what each of the keys has in shelves of one kind."""
        if kind in self._in_order:
            return [self._read_one(kind, stretches, key) for key in keys]
        query = READ % ",".join("?" * len(stretches))
        known = self._fresh[kind].known if kind in self._fresh else {}
        found = list[Found]()
        for key in keys:
            values = dict(self._file.execute(query, (kind, *stretches, key)))
            if fresh := known.get(key):
                values |= {s: value for s, value in fresh.items() if s in stretches}
            found.append(values)
        return found

    def _read_one(self, kind: int, stretches: Sequence[int], key: bytes) -> Found:
        rows = [(s, self._file.execute(READ_ONE % kind, [_place(s, key)])) for s in stretches]
        return {stretch: value for stretch, values in rows for (value,) in values}

    def commit(self, values: Values, drop: Sequence[Shelf]) -> None:
        """Write values, drop shelves and end the transaction."""
        gathered = self._write(values)
        moving = [*self._fresh] if drop else self._full(gathered)
        for kind in moving:
            self._file.execute(MOVE % (kind, kind))
            self._file.execute(FORGET % kind)
        if moving:
            self._file.execute(f"PRAGMA user_version = {self._moves + 1}")
        self._drop(drop)
        self._file.execute("COMMIT")
        self._moves += len(moving) > 0
        for kind, rows in gathered.items():
            self._fresh[kind].take(rows)
        for kind in moving:
            self._fresh[kind].forget()

    def _full(self, gathered: Mapping[int, Sequence[Row]]) -> list[int]:
        """Give the kind of which most values gathered, if they are enough: one move at a time."""
        sizes = [(self._fresh[kind].count + len(rows), kind) for kind, rows in gathered.items()]
        return [kind for size, kind in sorted(sizes)[-1:] if size >= FRESH]

    def _write(self, values: Values) -> dict[int, list[Row]]:
        """Write values, each where its kind goes first; give those that gather."""
        gathered: dict[int, list[Row]] = {}
        for (kind, stretch), pairs in values.items():
            if kind in self._fresh:
                gathered.setdefault(kind, []).extend((stretch, *pair) for pair in pairs.items())
            elif kind in self._in_order:
                places = ((_place(stretch, key), value) for key, value in pairs.items())
                self._file.executemany(WRITE_ONE % kind, places)
            else:
                self._file.executemany(WRITE, ((kind, stretch, *pair) for pair in pairs.items()))
        for kind, rows in gathered.items():
            self._file.executemany(GATHER % kind, rows)
        return gathered

    def _drop(self, shelves: Sequence[Shelf]) -> None:
        for kind, stretch in shelves:
            if kind in self._in_order:
                ends = _place(stretch, b""), _place(stretch + 1, b"") - 1
                self._file.execute(DROP_RANGE % kind, ends)
            else:
                self._file.execute(DROP, (kind, stretch))

    def rollback(self) -> None:
        """End the transaction."""
        with suppress(sqlite3.Error):
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
        self._version = -1  # what others wrote may not be taken in

    def sync(self) -> None:
        """Wait for the disk; now and then, move what the journal has to the file.

        A disk that could not is not asked again: what it lost, it would not tell twice.
        """
        self._refuse_lost()
        try:
            os.fsync(self._journal.fileno())
        except OSError as error:
            self._lost = error
            raise
        self._syncs += 1
        if self._syncs % SYNCS_A_LOOK == 0 and os.fstat(self._journal.fileno()).st_size > JOURNAL:
            self._mover.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def size(self) -> int:
        """Give the bytes of file and journal."""
        return sum(path.stat().st_size for path in self._paths if path.exists())

    def close(self) -> None:
        """Close the file."""
        for part in (self._journal, self._mover, self._file):
            part.close()


def _place(stretch: int, key: bytes) -> int:
    """Give the row of a key of a kind in order: its stretch, then its number."""
    return stretch << 40 | int.from_bytes(key)


def _connect(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute(f"PRAGMA busy_timeout = {1000 * BUSY_SECONDS}")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute(f"PRAGMA wal_autocheckpoint = {8 * JOURNAL // PAGE}")
    return file
