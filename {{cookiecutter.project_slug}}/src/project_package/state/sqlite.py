"""The event store in a SQLite file, which several processes of one machine may share.

Its one table, `events`, has a column for each field of an event: `sqlite3 FILE .schema` shows it.
Each entity has an index with all columns that its features read. A commit waits for the disk
(`synchronous`), and no bytes of deleted events remain in the file (`secure_delete`).
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..columns import TIMESTAMP, Columns, columns_of
from ..contract.history import History, HistoryRows
from ..errors import UserError
from .event_store import (
    MAX_HISTORY,
    OTHER_COLUMNS,
    PROBE_BYTES,
    EntityId,
    StateUnavailable,
    StoredEvent,
    first_rows,
    label_columns,
    look_backs,
    to_columns,
    to_histories,
    to_values,
)

PRAGMAS = "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "busy_timeout = 0"
TYPES = {str: "TEXT", int: "INTEGER", float: "REAL"}
TABLE = """CREATE TABLE events (
  id INTEGER PRIMARY KEY,  -- order of receipt
  received INTEGER NOT NULL,  -- milliseconds since 1970 (UTC), as in timestamp
  {columns},
  answer TEXT NOT NULL DEFAULT '',  -- what was answered
  UNIQUE ({key})
)"""
PROBE = "CREATE TABLE IF NOT EXISTS probe (bytes BLOB)"
READ = """SELECT {columns} FROM events
WHERE {entity} = :id AND timestamp <= :last AND timestamp > max(:since, ifnull(
  (SELECT timestamp - 1 FROM events WHERE {entity} = :id AND timestamp <= :first
   ORDER BY timestamp DESC LIMIT 1 OFFSET :rows - 1), :since))
ORDER BY timestamp"""


class SqliteStore:
    """The events of a use case in a SQLite file."""

    def __init__(
        self,
        path: Path,
        history: History,
        busy_seconds: float = 5,
        max_history: int = MAX_HISTORY,
    ) -> None:
        """Open or create the file, or raise UserError. Writers wait up to `busy_seconds`."""
        self._history = history
        self._max_history = max_history
        self._busy_seconds = busy_seconds
        self._columns = columns_of(history.event)
        self._key = {name: self._columns[name] for name in history.key}
        self._where = " AND ".join(f'"{name}" = ?' for name in self._key)
        self._reads = {
            entity.name: READ.format(
                columns=_names((TIMESTAMP, "id", *entity.columns)), entity=f'"{entity.name}"'
            )
            for entity in history.entities
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            for pragma in PRAGMAS:
                self._file.execute(f"PRAGMA {pragma}")
            self._path = path
            self._inode = path.stat().st_ino
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"The event store {path} cannot be opened: {error}.") from error
        with self.transaction():
            self._create_tables()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, durably; nothing of it when it raises."""
        if not self._path.exists() or self._path.stat().st_ino != self._inode:
            raise StateUnavailable(
                f"{self._path} was removed or replaced: restart the server, then run `ml backfill`."
            )
        with _reported(), self._file:  # which commits or rolls back
            deadline = time.monotonic() + self._busy_seconds
            # The waits of SQLite's own `busy_timeout` grow to 0.1 s: of two processes that write
            # batch after batch, one would run into the timeout (measured).
            while not self._file.in_transaction:
                try:
                    self._file.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    is_busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
                    if not is_busy or time.monotonic() > deadline:
                        raise
                    time.sleep(0.001)
            yield

    def _create_tables(self) -> None:
        """Create the table and its indexes, or raise UserError when it has other columns."""
        columns = ",\n  ".join(f'"{name}" {TYPES[kind]}' for name, kind in self._columns.items())
        table = TABLE.format(columns=columns, key=_names(self._key))
        schema = dict(self._file.execute("SELECT name, sql FROM sqlite_schema").fetchall())
        if "events" not in schema:
            self._file.execute(table)
        elif schema["events"] != table:
            raise UserError(OTHER_COLUMNS)
        self._file.execute(PROBE)
        for entity in self._history.entities:
            name = f"events_by_{entity.name}"
            columns = _names((entity.name, TIMESTAMP, *entity.columns))  # and the id: it is last
            index = f'CREATE INDEX "{name}" ON events ({columns})'
            if schema.get(name) != index:  # new, or features read other columns than before
                self._file.execute(f'DROP INDEX IF EXISTS "{name}"')
                self._file.execute(index)

    def find_events(self, rows: Columns) -> list[StoredEvent | None]:
        """Return the stored event with each row's key; None where there is none."""
        sql = f"SELECT {_names(self._columns)}, answer FROM events WHERE {self._where}"  # noqa: S608
        stored = [self._file.execute(sql, key).fetchone() for key in to_values(rows, self._key)]
        return [
            StoredEvent(dict(zip(self._columns, event, strict=False)), event[-1]) if event else None
            for event in stored
        ]

    def add(self, rows: Columns, claim: bool = False) -> list[bool]:
        """Store events in this order; see `EventStore.add` for what is returned."""
        values = to_values(rows, self._columns)
        now = round(time.time() * 1000)
        columns = _names(self._columns)
        marks = ", ?" * len(self._columns)
        sql = f"INSERT OR IGNORE INTO events (received, {columns}) VALUES (?{marks})"  # noqa: S608
        return [self._file.execute(sql, (now, *event)).rowcount > 0 or claim for event in values]

    def history(self, rows: Columns) -> list[HistoryRows]:
        """Return the events that features of rows read; see `EventStore.history`."""
        asked = look_backs(self._history, rows)
        events = dict[EntityId, list[tuple[Any, ...]]]()

        def read(key: EntityId) -> int:
            values = {"id": key[1], **vars(asked[key])}
            events[key] = self._file.execute(self._reads[key[0]], values).fetchall()
            events[key].sort()  # by time, then id: in SQL it takes four times as long
            return len(events[key])

        rows = first_rows(self._history, rows, read, self._max_history)
        own = self._ids(rows) if self._history.request_is_event else set()
        histories = {}
        for entity in self._history.entities:
            columns = {TIMESTAMP: int, "id": int, **{n: self._columns[n] for n in entity.columns}}
            for key in [key for key in events if key[0] == entity.name]:
                others = [event for event in events.pop(key) if event[1] not in own]
                histories[key] = to_columns(others, columns)
        return to_histories(self._history, rows, histories)

    def _ids(self, rows: Columns) -> set[int | None]:
        sql = f"SELECT max(id) FROM events WHERE {self._where}"  # noqa: S608
        return {self._file.execute(sql, key).fetchone()[0] for key in to_values(rows, self._key)}

    def set_answers(self, rows: Columns, answers: Sequence[str]) -> None:
        """Store the answers that were given for events."""
        sql = f"UPDATE events SET answer = ? WHERE {self._where}"  # noqa: S608
        values = [(a, *key) for a, key in zip(answers, to_values(rows, self._key), strict=True)]
        self._file.executemany(sql, values)

    def set_labels(self, rows: Columns) -> list[bool]:
        """Set label columns of stored events; False for a row whose key is not stored."""
        labels = label_columns(self._history)
        changes = ", ".join(f'"{name}" = ?' for name in labels)
        sql = f"UPDATE events SET {changes} WHERE {self._where}"  # noqa: S608
        values = to_values(rows, {**labels, **self._key})
        return [self._file.execute(sql, value).rowcount > 0 for value in values]

    def erase(self, kind: str, entity: str) -> int:
        """Delete all events of the entity with this id in the column `kind`; return how many."""
        sql = f'DELETE FROM events WHERE "{kind}" = ?'  # noqa: S608
        with self.transaction():
            erased = self._file.execute(sql, [entity]).rowcount
        with _reported():  # the journal still has the old pages
            self._file.execute(f"PRAGMA busy_timeout = {round(self._busy_seconds * 1000)}")
            (is_busy, *_) = self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if is_busy:
            raise StateUnavailable("Another process reads the event store: erase again later.")
        return erased

    def delete_expired(self, before: int) -> int:
        """Delete events received before a time; see `EventStore.delete_expired`."""
        oldest = "SELECT id FROM events ORDER BY id LIMIT 1000"  # ids grow with the time of receipt
        # An event that was received while the clock was ahead gets the time of the first event
        # after these whose time has passed, or else the time now.
        later = f"received <= :now AND id > (SELECT max(id) FROM ({oldest}))"  # noqa: S608
        known = f"SELECT received FROM events WHERE {later} ORDER BY id LIMIT 1"  # noqa: S608
        correct = f"UPDATE events SET received = ifnull(({known}), :now) WHERE received > :now"  # noqa: S608
        values = {"now": round(time.time() * 1000), "before": before}
        with self.transaction():
            self._file.execute("INSERT INTO probe VALUES (zeroblob(?))", [PROBE_BYTES])
            self._file.execute("DELETE FROM probe")
            self._file.execute(f"{correct} AND id IN ({oldest})", values)
            delete = f"DELETE FROM events WHERE received < :before AND id IN ({oldest})"  # noqa: S608
            return self._file.execute(delete, values).rowcount

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def _reported() -> Iterator[None]:
    """Raise StateUnavailable for an error of SQLite."""
    try:
        yield
    except sqlite3.Error as error:
        raise StateUnavailable(f"The event store cannot be used: {error}.") from error


def _names(columns: Iterable[str]) -> str:
    """Return the names of columns as SQL."""
    return ", ".join(f'"{name}"' for name in columns)
