"""The log off the path of answers: what is too old goes, PostgreSQL gets what it is to have.

With a PostgreSQL, the file is an outbox: a prediction stands in it until PostgreSQL has it. While
PostgreSQL is away the outbox grows and predictions go on; afterwards it empties by itself.
"""

import asyncio
import logging
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from ..errors import UserError
from ..settings import Settings
from ..features.windows import MILLISECONDS_A_DAY
from .record import Away, Record, connect, key_of

SQLITE, POSTGRESQL, OFF = "sqlite:///", ("postgresql://", "postgres://"), "off"
TURN_SECONDS = 1
AT_ONCE = 4_000_000
"""Characters that are sent in one transaction, about."""
DELETED_AT_ONCE = 500
NEXT = """
SELECT number, id, at, version, role, events, subjects, signals, answers
FROM prediction_batches ORDER BY number
"""
DELETE = "DELETE FROM prediction_batches WHERE number = ? AND id = ?"
"""The number alone may be given again, when another process emptied the outbox meanwhile."""
DELETE_OLD = """
DELETE FROM prediction_batches
WHERE at < ? AND number < ? + (SELECT min(number) FROM prediction_batches)
"""
WAITING = "SELECT ifnull(max(number) - min(number) + 1, 0) FROM prediction_batches"
log = logging.getLogger(__name__)


class Archive(Protocol):
    """Where predictions go from the outbox."""

    def keep(self, batches: list[tuple[Any, ...]]) -> None:
        """Keep batches; those that are there already stay. Raises Away."""

    def forget(self, before: int) -> None:
        """Delete what is older (milliseconds since 1970). Raises Away."""


class Outbox:
    """What becomes of the file of a log.

    `away` says why predictions wait, empty when all is well; `waiting` is the number of batches
    that PostgreSQL does not have yet.
    """

    def __init__(self, path: Path, days: float, archive: Archive | None = None) -> None:
        self._file, self._days, self._archive = connect(path), days, archive
        self.away, self.waiting = "", 0

    async def run(self) -> None:
        """Take turns, in a thread, so that no request waits; until cancelled."""
        while True:
            await asyncio.to_thread(self.turn)
            await asyncio.sleep(TURN_SECONDS)

    def turn(self) -> None:
        """Delete what is too old, send what waits, and work off the write-ahead log."""
        before = time.time_ns() // 1_000_000 - round(self._days * MILLISECONDS_A_DAY)
        try:
            self._delete(before)
            if self._archive:
                self._send(self._archive)
                self._archive.forget(before)
            self._file.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self.away = ""
        except (Away, sqlite3.Error) as error:  # the next turn tries again
            if not self.away:
                log.warning("predictions wait", extra={"reason": str(error)})
            self.away = f"Predictions wait in the log: {error}"
        with suppress(sqlite3.Error):  # it said so above
            self.waiting = int(self._file.execute(WAITING).fetchone()[0]) if self._archive else 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _delete(self, before: int) -> None:
        """Delete the oldest batches, a few at a time; their numbers are in the order of time."""
        deleted = 1
        while deleted:
            with self._file:
                deleted = self._file.execute(DELETE_OLD, (before, DELETED_AT_ONCE)).rowcount

    def _send(self, archive: Archive) -> None:
        while batches := self._next():
            archive.keep([batch[1:] for batch in batches])
            with self._file:
                self._file.executemany(DELETE, [batch[:2] for batch in batches])

    def _next(self) -> list[tuple[Any, ...]]:
        """Give the oldest batches, with their numbers: as many as one transaction may take."""
        found, size = [], 0
        for row in self._file.execute(NEXT):
            found.append(row)
            size += sum(len(text) for text in row[-4:])
            if size > AT_ONCE:
                break
        return found


@dataclass(frozen=True)
class Log:
    """Who writes predictions, and who looks after what was written."""

    record: Record
    outbox: Outbox


def open_log(settings: Settings, root: Path) -> Log | None:
    """Open the log that LOG_URL names, None when it is off.

    Raises:
        UserError: it names none, its file cannot be opened, or the driver is not installed.
    """
    url = settings.log_url.get_secret_value()
    if url.lower() == OFF:
        return None
    path, archive = root.absolute() / (url.removeprefix(SQLITE) or "predictions.db"), None
    if url.startswith(POSTGRESQL):
        path, archive = root.absolute() / "predictions.db", _postgres(url)
    elif url and not url.startswith(SQLITE):
        raise UserError(f"LOG_URL is none of {SQLITE}file, postgresql://... and {OFF}: mend it.")
    record = Record(path, key_of(path, settings.log_key.get_secret_value()))
    return Log(record, Outbox(path, settings.log_days, archive))


def _postgres(url: str) -> Archive:
    """Import the driver, which only those need who log to PostgreSQL."""
    try:
        module = import_module(".postgres", __package__)
    except ModuleNotFoundError as error:
        raise UserError(
            "LOG_URL names a PostgreSQL, whose driver is not installed: "
            "run `uv sync --extra postgresql`."
        ) from error
    return cast("Archive", module.Postgres(url))
