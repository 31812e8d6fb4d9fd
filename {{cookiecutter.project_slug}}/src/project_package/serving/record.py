"""The record of predictions: what was answered is in a file before it is given.

A run of the graph is one row of the table, so that writing costs little beside answering; the view
`predictions` has one row a prediction. Names are kept as keyed hashes: who has the key can look for
a customer, nobody can read one. The file is written through before the client hears (a killed
process loses nothing that was answered; a machine that loses power may lose the last moments).

A row is one prediction given. A request whose answer the state could not keep is answered 503 and
stands here too; asked again, it has another row with the same `event`.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import count
from pathlib import Path
from secrets import token_bytes
from uuid import uuid4

from ..errors import Unavailable, UserError
from ..fields import objects
from ..features.history import EVENT
from .batch import Batch

SHADOW = "shadow"
"""The role of an answer that nobody was given."""
BUSY_MS, HELD_MS = 5_000, 250
"""How long others wait for the file, and an answer: the event loop waits with it."""
HASH_BYTES, KEY_BYTES = 8, 32
NAMELESS = " " * 2 * HASH_BYTES
SCHEMA = """
CREATE TABLE IF NOT EXISTS prediction_batches (
  number INTEGER PRIMARY KEY, id TEXT, at INTEGER, version TEXT, role TEXT,
  events TEXT, subjects TEXT, signals TEXT, answers TEXT
);
CREATE VIEW IF NOT EXISTS predictions AS
SELECT b.id || '-' || row.key AS id, version, role,
  strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch') AS time,
  trim(substr(events, row.key * 16 + 1, 16)) AS event,
  trim(substr(subjects, row.key * 16 + 1, 16)) AS subject,
  b.signals -> row.key AS signals, row.value AS answer
FROM prediction_batches b, json_each(b.answers) row;
"""
INSERT = """
INSERT INTO prediction_batches (id, at, version, role, events, subjects, signals, answers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
PAGE_BYTES = 16_384
"""A batch of a thousand predictions is half a megabyte: in larger pages it costs half."""
CHECKPOINT_PAGES = 4_096
"""How far the write-ahead log may grow before a writer works it off; `Outbox` does that earlier."""


class LogUnusable(Unavailable):
    """The log cannot be written now: what would not be logged is not answered."""


class Away(Unavailable):
    """The database that gets what was logged cannot be used now; later it may be."""


class Record:
    """The file that predictions are logged in; any thread may write."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Open or make the file; raise UserError when it cannot be."""
        self.path = path
        self._hash, self._lock = blake2b(key=key, digest_size=HASH_BYTES), threading.Lock()
        self._name, self._numbers = uuid4().hex, count()
        self._file = connect(path)
        self._file.execute(f"PRAGMA busy_timeout = {HELD_MS}")

    def write(self, batches: Sequence[Batch], role: str = "") -> None:
        """Log batches; without a role, each has that of the version that answered.

        Raises:
            LogUnusable: the disk is full, or the file cannot be written.
        """
        now = time.time_ns() // 1_000_000
        rows = [self._row(batch, now, role or batch.served.alias) for batch in batches]
        try:
            with self._lock, self._file:  # one transaction
                self._file.executemany(INSERT, rows)
        except sqlite3.Error as error:
            raise LogUnusable(f"Predictions cannot be logged: {error}.") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _row(self, batch: Batch, now: int, role: str) -> tuple[str | int, ...]:
        """Write a batch as a row of the table."""
        subject = batch.served.predictor.api.memory.subject
        return (
            f"{self._name}-{next(self._numbers)}",
            now,
            batch.served.version,
            role,
            self._hashes(batch.rows[EVENT].tolist()),
            self._hashes(batch.rows[subject].tolist()),
            f"[{','.join(objects(batch.signals))}]",
            f"[{','.join(batch.answers)}]",
        )

    def _hashes(self, names: Sequence[str]) -> str:
        """Give the hashes of names, one after the other; blanks for a row that has none."""
        found = []
        for name in names:
            one = self._hash.copy()
            one.update(name.encode())
            found.append(one.hexdigest() if name else NAMELESS)
        return "".join(found)


def connect(path: Path) -> sqlite3.Connection:
    """Open or make the file of a log; raise UserError when it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        file = sqlite3.connect(path, check_same_thread=False)
        file.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        file.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        file.executescript(SCHEMA)
    except (sqlite3.Error, OSError) as error:
        raise UserError(f"The prediction log {path} cannot be opened: {error}.") from error
    return file


def key_of(path: Path, given: str) -> bytes:
    """Give the key of the hashes: from the text that was given, or else from a file beside the log.

    The file is made once, and only its owner may read it. Raises UserError when it is damaged.
    """
    if given:
        return blake2b(given.encode()).digest()
    file = path.with_suffix(".key")
    fresh = path.with_suffix(f".{uuid4().hex}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_bytes(token_bytes(KEY_BYTES))
    with suppress(FileExistsError):  # another was first, and all use that
        os.link(fresh, file)
    fresh.unlink()
    if len(key := file.read_bytes()) < KEY_BYTES:
        raise UserError(f"{file} is damaged: give LOG_KEY, or delete it and begin other hashes.")
    return key
