"""The prediction log: one row per prediction, in SQLite or PostgreSQL.

Answers wait in memory and are written in the background, every 100 ms and when the server stops:
`kill -9` may lose the last 100 ms, and a connection that breaks in a commit may leave rows twice.
Events and entities are keyed hashes: with the key one can be looked up, but none can be read.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from importlib.util import find_spec
from logging import getLogger
from pathlib import Path
from secrets import token_bytes
from typing import Any

from pydantic_core import to_json
from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, MetaData, String, Table
from sqlalchemy.engine import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..contract import Columns
from ..errors import Unavailable, UserError
from ..settings import Settings
from .metrics import Metrics
from .predictions import Answered

log = getLogger(__name__)
SQLITE, HASH_BYTES, KEY_BYTES = "sqlite:///", 8, 32
FLUSH_SECONDS, RETRY_SECONDS, EXPIRY_SECONDS = 0.1, 1, 600
MOST_WAITING = 100_000  # predictions in memory; further ones are dropped
CONNECT = {"connect_timeout": 5, "options": "-c statement_timeout=10000"}  # of PostgreSQL: s, ms
PREDICTIONS = Table(
    "predictions",
    MetaData(),
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("time", DateTime(timezone=True), nullable=False, index=True),  # UTC
    Column("version", String, nullable=False),
    Column("role", String, nullable=False),  # champion, challenger or shadow
    Column("event", String, nullable=False),  # keyed hashes; empty where there is none
    Column("entity", String, nullable=False),
    Column("monitored", JSON, nullable=False),  # both are given as JSON text: see json_serializer
    Column("answer", JSON, nullable=False),
)


class PredictionLog:
    """Writes predictions in the background, from `start` to `close`.

    `error` says why the database cannot be used, empty when it can; `dropped` counts predictions
    that were not logged.
    """

    def __init__(
        self, url: str, key: bytes, retention_days: float, metrics: Metrics | None = None
    ) -> None:
        """Prepare the connection to sqlite:///file or postgresql://...; nothing is opened yet.

        Raises:
            UserError: the URL is not valid, or its driver is not installed.
        """
        self.error, self.dropped = "", 0
        self._engine = _engine(url)
        self._key, self._retention = key, timedelta(days=retention_days)
        self._metrics = metrics or Metrics()
        self._entries: list[tuple[datetime, str, Answered]] = []
        self._rows: list[dict[str, Any]] = []  # made of entries and not yet written
        self._waiting, self._next_expiry = 0, 0.0
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def write(self, answered: Answered, role: str) -> None:
        """Queue answers; drop and count them when too many wait. Never waits for the database."""
        rows = len(answered.answers)
        with self._lock:
            if self._waiting + rows <= MOST_WAITING:
                self._waiting += rows
                self._entries.append((datetime.now(UTC), role, answered))
                return
        self._drop(rows)

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits and stop; what the database does not accept is dropped and counted."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._waiting:
            self._drop(self._waiting)
        self._engine.dispose()

    def create_table(self) -> None:
        """Create the table unless it exists.

        Raises:
            Unavailable: the database cannot be used.
        """
        with self._transaction() as connection:
            if self._engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            PREDICTIONS.metadata.create_all(connection)

    def erase(self, entity_id: str) -> int:
        """Delete the predictions about an entity; return how many.

        Raises:
            Unavailable: the database cannot be used.
        """
        self.create_table()
        about = PREDICTIONS.c.entity == self._hashes([entity_id])[0]
        with self._transaction() as connection:
            return connection.execute(PREDICTIONS.delete().where(about)).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Run one transaction; raise Unavailable when the database does not accept it."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:  # its own text would quote the rows
            reason = str(getattr(error, "orig", type(error).__name__)).partition("\n")[0]
            raise Unavailable(f"The prediction log cannot be used: {reason}") from None

    def _run(self) -> None:
        while not self._stop.wait(RETRY_SECONDS if self.error else FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        """Write what waits and delete what is too old; after a failure all of it waits on."""
        try:
            if self.error or not self._next_expiry:  # at the start, and for a new database
                self.create_table()
            with self._lock:
                entries, self._entries = self._entries, []
            self._rows += [row for entry in entries for row in self._to_rows(*entry)]
            if self._rows:
                with self._transaction() as connection:
                    connection.execute(PREDICTIONS.insert(), self._rows)
                with self._lock:
                    self._waiting -= len(self._rows)
                self._rows = []
            if time.monotonic() >= self._next_expiry:
                old = PREDICTIONS.c.time < datetime.now(UTC) - self._retention
                with self._transaction() as connection:
                    connection.execute(PREDICTIONS.delete().where(old))
                self._next_expiry = time.monotonic() + EXPIRY_SECONDS
        except Unavailable as error:
            self._report(str(error))
        else:
            self._report("")

    def _to_rows(self, when: datetime, role: str, answered: Answered) -> list[dict[str, Any]]:
        task, rows, version = answered.served.task, answered.rows, answered.served.version
        none = [""] * len(answered.answers)
        events = self._hashes(rows[task.id].tolist()) if task.id else none
        entities = self._hashes(rows[task.entity].tolist()) if task.entity else none
        values = (events, entities, _json_rows(answered.monitored), answered.answers)
        names = ("event", "entity", "monitored", "answer")
        shared = {"time": when, "version": version, "role": role}
        return [shared | dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

    def _hashes(self, names: Sequence[object]) -> list[str]:
        """Return the keyed hash of each name; empty for an empty one."""
        hashed = partial(blake2b, key=self._key, digest_size=HASH_BYTES)
        return [hashed(str(n).encode()).hexdigest() if n not in ("", None) else "" for n in names]

    def _report(self, error: str) -> None:
        if error and not self.error:
            log.warning("predictions cannot be logged now", extra={"reason": error})
        self._metrics.degraded.labels("log").set(bool(error))
        self.error = error

    def _drop(self, rows: int) -> None:
        if not self.dropped:
            log.warning("predictions are not logged: too many wait", extra={"reason": self.error})
        self.dropped += rows
        self._metrics.log_dropped.inc(rows)


def _json_rows(columns: Columns) -> list[str]:
    """Return each row as a JSON object; numbers that are not finite become null."""
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    rows = (dict(zip(columns, row, strict=True)) for row in values)
    return [to_json(row, inf_nan_mode="null").decode() for row in rows]


def _engine(url: str) -> Engine:
    with suppress(ArgumentError, ValueError):  # their messages may quote the password
        if url.startswith(SQLITE):
            return create_engine(url, json_serializer=str)
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
        if parsed.drivername == "postgresql":
            if find_spec("psycopg") is None:
                raise UserError("LOG_URL needs a driver: run `uv sync --extra postgresql`.")
            parsed = parsed.set(drivername="postgresql+psycopg")
            return create_engine(parsed, connect_args=CONNECT, json_serializer=str)
    raise UserError(
        "LOG_URL is none of sqlite:///file, postgresql://user:password@host:port/database and "
        "off: correct it, and write characters such as @ : / in a password as %40 %3A %2F."
    )


def open_log(
    settings: Settings, root: Path, metrics: Metrics | None = None
) -> PredictionLog | None:
    """Open the log that LOG_URL names; None when it is off.

    Raises:
        UserError: the URL is not valid, the file cannot be opened, or the driver is missing.
    """
    url = settings.log_url.get_secret_value() or f"{SQLITE}predictions.db"
    if url.lower() == "off":
        return None
    is_file = url.startswith(SQLITE)
    path = root.absolute() / (url.removeprefix(SQLITE) if is_file else "predictions.db")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = read_key(path.with_suffix(".key"), settings.log_key.get_secret_value())
        if not is_file:
            return PredictionLog(url, key, settings.log_days, metrics)
        path.touch(mode=0o600)
    except OSError as error:
        raise UserError(f"The prediction log {path} cannot be opened: {error}.") from error
    opened = PredictionLog(f"{SQLITE}{path}", key, settings.log_days, metrics)
    opened.create_table()
    return opened


def read_key(file: Path, given: str) -> bytes:
    """Return the key of the hashes: from the given text, or from a file, created for its owner.

    Raises:
        UserError: the file is damaged.
    """
    if given:
        return blake2b(given.encode()).digest()
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(token_bytes(KEY_BYTES))
    if len(key := file.read_bytes()) < KEY_BYTES:
        raise UserError(f"{file} is damaged: set LOG_KEY, or delete the file to start new hashes.")
    return key
