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
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from .errors import UserError
from .keeper import Found, Key, Shelf, Values

Row: TypeAlias = tuple[int, int, int, bytes, bytes]
"""Kind, number, stretch, key and value."""
PAGE = 4_096
JOURNAL = 1_000 * PAGE
"""Bytes of the journal that are moved to the file at once, by `sync`; or, when it cannot keep up,
at eight times as many by a transaction."""
SYNCS_A_LOOK = 100
"""How often it is looked whether the journal has grown so far."""
BUSY_SECONDS, LOOK_SECONDS = 5, 0.001
"""How long a transaction waits for that of another process, and how often it looks."""
FRESH = 1_000
"""Values of a kind that gather before they move: the more, the less is written and the longer it
takes."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
  kind INTEGER, stretch INTEGER, key BLOB, value BLOB, PRIMARY KEY (kind, stretch, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fresh (
  kind INTEGER, number INTEGER, stretch INTEGER, key BLOB, value BLOB, PRIMARY KEY (kind, number)
) WITHOUT ROWID;
"""
READ = "SELECT stretch, value FROM kept WHERE kind = ? AND stretch IN (%s) AND key = ?"
WRITE = "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)"
GATHER = "INSERT INTO fresh VALUES (?, ?, ?, ?, ?)"
NEWS = "SELECT number, stretch, key, value FROM fresh WHERE kind = ? AND number > ? ORDER BY number"
MOVE = """
INSERT OR REPLACE INTO kept SELECT kind, stretch, key, value FROM fresh WHERE kind = ?
ORDER BY stretch, key, number
"""


class SqliteKeeper:
    """The keeper of a file. Its `user_version` counts moves: each process knows what it missed."""

    failures = (sqlite3.Error, OSError)

    def __init__(self, path: Path, gathered: Sequence[int]) -> None:
        """Open or make the file; raise UserError when it cannot be.

        Values of the kinds `gathered` come in no order, so they gather before they move.
        """
        self._version = self._moves = -1
        self._last = dict.fromkeys(gathered, 0)
        self._fresh: dict[int, dict[bytes, dict[int, bytes]]] = {kind: {} for kind in gathered}
        self._lost: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._file, self._mover = _connect(path), _connect(path)
            self._file.executescript(SCHEMA)
            self._file.execute("PRAGMA busy_timeout = 0")
            self._paths = path, path.with_name(f"{path.name}-wal")
            self._journal = self._paths[1].open("rb")
            self._syncs = 0
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"The state {path} cannot be opened: {error}.") from error

    def begin(self) -> Collection[Key] | None:
        """Start a transaction; give what others wrote since the last one."""
        if self._lost:
            raise OSError(f"the disk lost what was written ({self._lost}): start the server again")
        self._wait()
        before, self._version = self._version, self._ask("PRAGMA data_version")
        return () if self._version == before else self._catch_up()

    def _wait(self) -> None:
        """Begin as soon as nobody else writes; SQLite would look ever more seldom."""
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._file.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                if time.monotonic() > until:
                    raise
                time.sleep(LOOK_SECONDS)
            else:
                return

    def _catch_up(self) -> Collection[Key] | None:
        """Take in what others wrote."""
        before, self._moves = self._moves, self._ask("PRAGMA user_version")
        if self._moves != before:
            for kind in self._fresh:
                self._forget(kind)
        changed = set[Key]()
        for kind, last in self._last.items():
            for number, stretch, key, value in self._file.execute(NEWS, (kind, last)):
                self._gather(kind, number, stretch, key, value)
                changed.add((kind, key))
        return changed if self._moves == before else None

    def _ask(self, query: str) -> int:
        return int(self._file.execute(query).fetchone()[0])

    def _gather(self, kind: int, number: int, stretch: int, key: bytes, value: bytes) -> None:
        self._fresh[kind].setdefault(key, {})[stretch] = value
        self._last[kind] = number

    def _forget(self, kind: int) -> None:
        self._fresh[kind].clear()
        self._last[kind] = 0

    def read(self, kind: int, stretches: Sequence[int], keys: Sequence[bytes]) -> list[Found]:
        """Give what each of the keys has in shelves of one kind."""
        query = READ % ",".join("?" * len(stretches))
        fresh, found = self._fresh.get(kind, {}), list[Found]()
        for key in keys:
            moved = dict(self._file.execute(query, (kind, *stretches, key)))
            mine = fresh.get(key, {})
            found.append(moved | {s: value for s, value in mine.items() if s in stretches})
        return found

    def commit(self, values: Values, drop: Sequence[Shelf]) -> None:
        """Write values, drop shelves and end the transaction."""
        last, gathered, written = dict(self._last), list[Row](), list[tuple[int | bytes, ...]]()
        for (kind, stretch), pairs in values.items():
            for key, value in pairs.items():
                if kind not in last:
                    written.append((kind, stretch, key, value))
                    continue
                last[kind] += 1
                gathered.append((kind, last[kind], stretch, key, value))
        self._file.executemany(GATHER, gathered)
        self._file.executemany(WRITE, written)
        most = max(last, key=last.__getitem__)
        moved = [*last] if drop else [most] if gathered and last[most] >= FRESH else []
        self._move(moved, drop)
        self._file.execute("COMMIT")
        self._moves += len(moved) > 0
        for row in gathered:
            self._gather(*row)
        for kind in moved:
            self._forget(kind)

    def _move(self, kinds: Sequence[int], drop: Sequence[Shelf]) -> None:
        """Move gathered values to their shelves, and drop shelves."""
        for kind in kinds:
            self._file.execute(MOVE, [kind])
            self._file.execute("DELETE FROM fresh WHERE kind = ?", [kind])
        if kinds:
            self._file.execute(f"PRAGMA user_version = {self._moves + 1}")
        self._file.executemany("DELETE FROM kept WHERE kind = ? AND stretch = ?", drop)

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


def _connect(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute(f"PRAGMA busy_timeout = {1000 * BUSY_SECONDS}")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute(f"PRAGMA wal_autocheckpoint = {8 * JOURNAL // PAGE}")
    return file
