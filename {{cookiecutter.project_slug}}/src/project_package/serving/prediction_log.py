"""The prediction log: one row per prediction, in SQLite or PostgreSQL.

Answers wait in memory and are written in the background, every 100 ms and when the server stops:
`kill -9` may lose the last 100 ms, and a connection that breaks in a commit may leave rows twice.
Events and entities are keyed hashes: with the key one can be looked up, but none can be read.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from logging import getLogger
from pathlib import Path
from secrets import token_bytes
from typing import Any

from pydantic_core import to_json
from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, MetaData, String, Table
from sqlalchemy.engine import Connection, Engine, create_engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from ..contract import Columns
from ..errors import Unavailable, UserError
from ..settings import Settings
from .metrics import Metrics
from .predictions import Answered

BROKEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
"""What `Task.monitored` may raise on answers that it does not fit."""
log = getLogger(__name__)
SQLITE, HASH_BYTES, KEY_BYTES = "sqlite:///", 8, 32
FLUSH_SECONDS, RETRY_SECONDS, DELETE_SECONDS = 0.1, 1, 600
MAX_WAITING = 100_000  # rows in memory; further ones are dropped
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
    Column("monitored", JSON, nullable=False),  # both are JSON text already: see json_serializer
    Column("answer", JSON, nullable=False),
)


class PredictionLog:
    """Writes predictions in the background, from `start` to `close`.

    `error` says why the database cannot be used; it is empty when it can.
    """

    def __init__(
        self, url: str, key: bytes, retention_days: float, metrics: Metrics | None = None
    ) -> None:
        """Prepare the connection to sqlite:///file or postgresql://...; nothing is opened yet.

        Raises:
            UserError: the URL is not valid, or its driver is not installed.
        """
        self.error, self._engine, self._key = "", _engine(url), key
        self._retention, self._next_deletion = timedelta(days=retention_days), 0.0
        self._metrics = metrics or Metrics()
        self._lock, self._waiting_rows = threading.Lock(), 0
        self._waiting: list[tuple[datetime, str, Answered]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def write(self, answered: Answered, role: str) -> None:
        """Queue answers; drop and count them when too many wait. Never waits for the database."""
        rows = len(answered.answers)
        with self._lock:
            if self._waiting_rows + rows > MAX_WAITING:
                self._metrics.log_dropped.inc(rows)
            else:
                self._waiting.append((datetime.now(UTC), role, answered))
                self._waiting_rows += rows

    def start(self) -> None:
        """Start to write."""
        self._thread.start()

    def close(self) -> None:
        """Write what waits and stop; what the database does not accept is dropped and counted."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._metrics.log_dropped.inc(self._waiting_rows)
        self._engine.dispose()

    def check(self) -> None:
        """Raise Unavailable unless the database can be used."""
        with self._transaction():
            pass

    def erase(self, entity_id: str) -> int:
        """Delete the predictions about an entity; return how many, or raise Unavailable."""
        with self._transaction() as connection:
            about = PREDICTIONS.c.entity == self._hash(entity_id)
            return connection.execute(PREDICTIONS.delete().where(about)).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Run a transaction, in which the table exists; raise Unavailable when it fails."""
        try:
            with self._engine.begin() as connection:
                if self._engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                PREDICTIONS.metadata.create_all(connection)
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
        error = ""
        try:
            if self._waiting:
                self._insert()
            if time.monotonic() >= self._next_deletion:
                self._delete_old()
        except Unavailable as unavailable:
            error = str(unavailable)
            if not self.error:
                log.warning("predictions cannot be logged now", extra={"reason": error})
        self._metrics.degraded.labels("log").set(bool(error))
        self.error = error

    def _insert(self) -> None:
        with self._lock:
            waiting = self._waiting.copy()
        with self._transaction() as connection:  # connects before rows are made
            for when, role, answered in waiting:
                try:
                    rows = self._to_rows(when, role, answered)
                except BROKEN as error:  # of the use case's `monitored`
                    log.warning("predictions are not logged", extra={"reason": repr(error)})
                    self._metrics.log_dropped.inc(len(answered.answers))
                else:
                    connection.execute(PREDICTIONS.insert(), rows)
        with self._lock:
            del self._waiting[: len(waiting)]
            self._waiting_rows -= sum(len(answered.answers) for _, _, answered in waiting)

    def _delete_old(self) -> None:
        with self._transaction() as connection:
            old = PREDICTIONS.c.time < datetime.now(UTC) - self._retention
            connection.execute(PREDICTIONS.delete().where(old))
        self._next_deletion = time.monotonic() + DELETE_SECONDS

    def _to_rows(self, when: datetime, role: str, answered: Answered) -> list[dict[str, Any]]:
        task, rows, answers = answered.served.task, answered.rows, answered.answers
        monitored = _to_json(answered.monitored) if answered.monitored else ["{}"] * len(answers)
        events = rows[task.id].tolist() if task.id else [""] * len(answers)
        entities = rows[task.entity].tolist() if task.entity else [""] * len(answers)
        shared = {"time": when, "version": answered.served.version, "role": role}
        names = ("event", "entity", "monitored", "answer")
        columns = (map(self._hash, events), map(self._hash, entities), monitored, answers)
        return [shared | dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _hash(self, identifier: object) -> str:
        """Return the keyed hash of an identifier; empty for an empty one."""
        if identifier in ("", None):
            return ""
        text = str(identifier).encode()
        return blake2b(text, key=self._key, digest_size=HASH_BYTES).hexdigest()


def _to_json(columns: Columns) -> list[str]:
    """Return each row as a JSON object; numbers that are not finite become null."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    objects = (dict(zip(columns, row, strict=True)) for row in rows)
    return [to_json(one, inf_nan_mode="null").decode() for one in objects]


def _engine(url: str) -> Engine:
    """Return the engine of a URL; raise UserError, without its password, when it is not valid."""
    try:
        if url.startswith(SQLITE):
            return create_engine(url, json_serializer=str)
        if url.startswith(("postgresql://", "postgres://")):
            url = f"postgresql+psycopg://{url.partition('://')[2]}"
            return create_engine(url, connect_args=CONNECT, json_serializer=str)
    except ModuleNotFoundError:
        raise UserError("LOG_URL needs a driver: run `uv sync --extra postgresql`.") from None
    except (ArgumentError, ValueError):  # their messages may quote the password
        pass
    raise UserError(
        "LOG_URL is none of sqlite:///file, postgresql://user:password@host:port/database and "
        "off: correct it, and write characters such as @ : / in a password as %40 %3A %2F."
    )


def open_log(
    settings: Settings, root: Path, metrics: Metrics | None = None
) -> PredictionLog | None:
    """Open the log that LOG_URL names; None when it is off.

    Raises:
        UserError: the URL is not valid, a file cannot be opened, or the driver is missing.
    """
    url = settings.log_url.get_secret_value() or f"{SQLITE}predictions.db"
    if url.lower() == "off":
        return None
    is_file = url.startswith(SQLITE)
    path = root.absolute() / (url.removeprefix(SQLITE) if is_file else "predictions.db")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = _read_key(path.with_suffix(".key"), settings.log_key.get_secret_value())
        if is_file:
            path.touch(mode=0o600)
    except OSError as error:
        raise UserError(f"The prediction log {path} cannot be opened: {error}.") from error
    opened = PredictionLog(f"{SQLITE}{path}" if is_file else url, key, settings.log_days, metrics)
    if is_file:  # a server may start before its database server
        opened.check()
    return opened


def _read_key(file: Path, given: str) -> bytes:
    """Return the key of the hashes: from the given text, or from a file, created for its owner."""
    if given:
        return blake2b(given.encode()).digest()
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(token_bytes(KEY_BYTES))
    if len(key := file.read_bytes()) < KEY_BYTES:
        raise UserError(f"{file} is damaged: set LOG_KEY, or delete the file to start new hashes.")
    return key
