"""The state in one SQLite file, which the processes of one machine may share.

A transaction ends in the journal (SQLite's write-ahead log), of which `sync` makes sure that the
disk has it. So it may do that for many at once, beside the next transaction; SQLite would do it at
the end of each. Values of one shelf lie together, so what is too old goes by whole pages, and a new
value touches pages that are in memory anyway.
"""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from .errors import UserError
from .keeper import Shelf, Values

PAGE = 4_096
JOURNAL = 1_000 * PAGE
"""Bytes of the journal that are moved to the file at once, by `sync`; or, when it cannot keep up,
at eight times as many by a transaction."""
SYNCS_A_LOOK = 100
"""How often it is looked whether the journal has grown so far."""
BUSY_MS = 5_000
"""How long a transaction waits for that of another process."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
  kind INTEGER, stretch INTEGER, key BLOB, value BLOB, PRIMARY KEY (kind, stretch, key)
) WITHOUT ROWID
"""
READ = "SELECT stretch, value FROM kept WHERE kind = ? AND stretch IN (...) AND key = ?"


class SqliteKeeper:
    """The keeper of a file."""

    failures = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        """Open or make the file; raise UserError when it cannot be."""
        self._version = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file, self._mover = _connect(path), _connect(path)
            self._file.execute(SCHEMA)
            self._paths = path, path.with_name(f"{path.name}-wal")
            self._journal = self._paths[1].open("rb")
            self._moved = 0
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"The state {path} cannot be opened: {error}.") from error

    def begin(self) -> bool:
        """Start a transaction; tell whether others wrote since the last one."""
        self._file.execute("BEGIN IMMEDIATE")
        before = self._version
        self._version = self._file.execute("PRAGMA data_version").fetchone()[0]
        return self._version != before

    def read(self, kind: int, stretches: Sequence[int], key: bytes) -> Mapping[int, bytes]:
        """Give the values of a key in shelves of one kind, by stretch, where there is one."""
        marks = ",".join("?" * len(stretches))
        query = READ.replace("...", marks)
        return dict(self._file.execute(query, (kind, *stretches, key)))

    def commit(self, values: Values, drop: Sequence[Shelf]) -> None:
        """Write values, drop shelves and end the transaction."""
        rows = ((*shelf, *pair) for shelf, pairs in values.items() for pair in pairs.items())
        self._file.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)", rows)
        self._file.executemany("DELETE FROM kept WHERE kind = ? AND stretch = ?", drop)
        self._file.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction."""
        with suppress(sqlite3.Error):
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")

    def sync(self) -> None:
        """Wait for the disk; now and then, move what the journal has to the file."""
        os.fsync(self._journal.fileno())
        self._moved += 1
        if self._moved % SYNCS_A_LOOK == 0 and os.fstat(self._journal.fileno()).st_size > JOURNAL:
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
    file.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute(f"PRAGMA wal_autocheckpoint = {8 * JOURNAL // PAGE}")
    return file
