"""The prediction log, in SQLite or PostgreSQL: a table with one row per prediction, one of labels.

Ids of events and entities are keyed hashes: with the key, a known id can be looked up, but no id
can be recovered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from .errors import Unavailable, UserError
from .settings import Settings

SQLITE = "sqlite:///"
HASH_BYTES = 8
SHADOW = "shadow"
"""The role of the challenger when its predictions are compared only."""
READ_ROWS = 5_000
KEY_BYTES = 32
CONNECT = {"connect_timeout": 5, "options": "-c statement_timeout=10000 -c timezone=UTC"}  # s, ms
METADATA = sa.MetaData()
KEEP_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 5, "tcp_user_timeout": 10_000}
"""How PostgreSQL's client notices a host that vanished: after 10 s (s, s, ms)."""
PREDICTIONS = sa.Table(
    "predictions",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False, index=True),  # UTC
    sa.Column("version", sa.String, nullable=False),
    sa.Column("role", sa.String, nullable=False),  # champion, challenger, shadow
    sa.Column("prediction", sa.String, nullable=False),  # the id that the answer has
    sa.Column("event", sa.String, nullable=False),  # keyed hashes; empty where there is none
    sa.Column("entity", sa.String, nullable=False),
    sa.Column("monitored", sa.JSON, nullable=False),  # both are JSON text: see json_serializer
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("row", sa.JSON(none_as_null=True)),  # only with LOG_ROWS=on
)
LABELS = sa.Table(
    "labels",
    METADATA,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False, index=True),  # UTC, of arrival
    sa.Column("prediction", sa.String, nullable=False),  # of one of the two, the other is empty
    sa.Column("event", sa.String, nullable=False),
    sa.Column("label", sa.JSON, nullable=False),
)


class PredictionLog:
    """The tables. Methods connect when they are called; they raise Unavailable if they cannot."""

    def __init__(self, url: str | sa.URL, key: bytes, retention_days: float) -> None:
        """Take the address, which is opened later; raise UserError if it or its driver is wrong."""
        self._engine = _engine(url)
        self._key = key
        self._retention = timedelta(days=retention_days)

    def create_tables(self) -> None:
        """Create the tables if there are none; connects to the database."""
        with self._transaction():
            pass

    def insert(self, batches: Iterable[Sequence[Mapping[str, Any]]]) -> None:
        """Insert rows in one transaction; `batches` is read when the database is connected."""
        with self._transaction() as connection:
            for rows in batches:
                connection.execute(PREDICTIONS.insert(), rows)

    def insert_labels(self, labels: Iterable[tuple[str, object, str]]) -> None:
        """Insert labels in one transaction; of several labels of a prediction, the last counts.

        Each has the id of its prediction or the instance's own id, the other one empty, and JSON.
        """
        now = datetime.now(UTC)
        rows = [
            {"time": now, "prediction": prediction, "event": self.hash(own), "label": label}
            for prediction, own, label in labels
        ]
        with self._transaction() as connection:
            connection.execute(LABELS.insert(), rows)

    def count_answers(self, since: datetime, until: datetime) -> int:
        """Count the predictions of a time, UTC, that were answers: those of the shadow are not."""
        answers = sa.select(sa.func.count()).where(*_answers(since, until))
        with self._transaction(slow=True) as connection:
            return int(connection.execute(answers).scalar_one())

    def read_answers(
        self, since: datetime, until: datetime, every: int = 1
    ) -> Iterator[Sequence[sa.Row[Any]]]:
        """Yield the answers of a time, UTC, some thousands at a time, in the order of arrival.

        With `every`, about one in so many, chosen by a hash of its number.
        """
        number = PREDICTIONS.c.id * 2_654_435_761 % 2**32 // 2**16  # Knuth's multiplicative hash
        chosen = (*_answers(since, until), number % every == 0)
        columns = (column for column in PREDICTIONS.c if column.name != "row")  # it can be large
        yield from self._read(sa.select(*columns).where(*chosen).order_by(PREDICTIONS.c.id))

    def find(self, prediction: str) -> "sa.Row[Any] | None":
        """Return the answer with this id, and its row if rows are logged; None without one."""
        is_answer = (PREDICTIONS.c.prediction == prediction, PREDICTIONS.c.role != SHADOW)
        with self._transaction(slow=True) as connection:  # there is no index
            return connection.execute(sa.select(PREDICTIONS).where(*is_answer)).first()

    def read_labels(self, since: datetime) -> Iterator[Sequence[sa.Row[Any]]]:
        """Yield the labels that arrived since a time, UTC, in their order."""
        yield from self._read(sa.select(LABELS).where(LABELS.c.time >= since).order_by(LABELS.c.id))

    def _read(self, query: "sa.Select[Any]") -> Iterator[Sequence[sa.Row[Any]]]:
        with self._transaction(slow=True) as connection:
            found = connection.execution_options(yield_per=READ_ROWS).execute(query)
            yield from found.partitions()

    def erase(self, entity_id: str) -> int:
        """Delete the predictions about an entity and their labels; return how many predictions.

        In SQLite, no bytes of them remain.
        """
        with self._transaction(slow=True) as connection:  # there is no index
            about = PREDICTIONS.c.entity == self.hash(entity_id)
            for name in ("prediction", "event"):
                ids = sa.select(PREDICTIONS.c[name]).where(about, PREDICTIONS.c[name] != "")
                connection.execute(LABELS.delete().where(LABELS.c[name].in_(ids)))
            erased = connection.execute(PREDICTIONS.delete().where(about)).rowcount
        if self._engine.dialect.name == "sqlite":  # whose journal still has the old pages
            with self._transaction() as connection:
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
            if busy:
                raise Unavailable("Another process reads the prediction log: erase again later.")
        return erased

    def delete_old(self, limit: int = 10_000) -> int:
        """Delete what is older than the retention, up to `limit` of a table; return how many."""
        before = datetime.now(UTC) - self._retention
        deleted = 0
        with self._transaction() as connection:
            for table in (PREDICTIONS, LABELS):
                old = sa.select(table.c.id).where(table.c.time < before).limit(limit)
                deletion = table.delete().where(table.c.id.in_(old))
                deleted += connection.execute(deletion).rowcount
        return deleted

    def hash(self, identifier: object) -> str:
        """Return the keyed hash of an identifier; empty for an empty one."""
        return keyed_hash(identifier, self._key)

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, slow: bool = False) -> Iterator[sa.Connection]:
        """Run a transaction, in which the tables exist; a slow one may take minutes."""
        try:
            with self._engine.begin() as connection:
                if slow and self._engine.dialect.name == "postgresql":
                    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
                if self._engine.dialect.name == "sqlite":
                    connection.exec_driver_sql("PRAGMA journal_mode = WAL")
                    connection.exec_driver_sql("PRAGMA secure_delete = ON")
                existing = sa.inspect(connection).get_table_names()
                for table in METADATA.sorted_tables:
                    if table.name not in existing:
                        connection.execute(CreateTable(table, if_not_exists=True))
                        for index in table.indexes:
                            connection.execute(CreateIndex(index, if_not_exists=True))
                yield connection
        except SQLAlchemyError as error:  # its own text would quote the rows
            reason = str(getattr(error, "orig", type(error).__name__)).partition("\n")[0]
            raise Unavailable(f"The prediction log cannot be used: {reason}") from None


def _answers(since: datetime, until: datetime) -> tuple["sa.ColumnElement[bool]", ...]:
    time = PREDICTIONS.c.time
    return (time >= since, time < until, PREDICTIONS.c.role != SHADOW)


def keyed_hash(identifier: object, key: bytes) -> str:
    """Return the keyed hash of an identifier; empty for an empty one."""
    if identifier in ("", None):
        return ""
    return blake2b(str(identifier).encode(), key=key, digest_size=HASH_BYTES).hexdigest()


def _engine(url: str | sa.URL) -> sa.Engine:
    """Return the engine of a URL; raise UserError, without its password, when it is not valid."""
    try:
        if isinstance(url, sa.URL) or url.startswith(SQLITE):
            return sa.create_engine(url, json_serializer=str)
        if url.startswith(("postgresql://", "postgres://")):
            url = f"postgresql+psycopg://{url.partition('://')[2]}"
            return sa.create_engine(url, connect_args=CONNECT | KEEP_ALIVE, json_serializer=str)
    except ModuleNotFoundError:
        raise UserError("LOG_URL needs a driver: run `uv sync --extra postgresql`.") from None
    except (ArgumentError, ValueError):  # their messages may quote the password
        pass
    raise UserError(
        "LOG_URL is none of sqlite:///file, postgresql://user:password@host:port/database and "
        "off: correct it, and write characters such as @ : / in a password as %40 %3A %2F."
    )


def open_log(settings: Settings, root: Path) -> PredictionLog | None:
    """Open the log that LOG_URL names, None when it is off; raise UserError if it is unusable."""
    url, path = settings.log(root)
    if url.lower() == "off":
        return None
    is_file = url.startswith(SQLITE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        key = read_key(settings, root)
        if is_file:
            path.touch(mode=0o600)
    except OSError as error:
        raise UserError(f"The prediction log {path} cannot be opened: {error}.") from error
    address = sa.URL.create("sqlite", database=str(path)) if is_file else url
    opened = PredictionLog(address, key, settings.log_days)
    if is_file:  # a server may start before its database server
        opened.create_tables()
    return opened


def read_key(settings: Settings, root: Path) -> bytes:
    """Return the key of the hashes: LOG_KEY, or that of a file, created for its owner.

    The file is beside that of the log, or else `predictions.key`, also if the log is off.
    """
    if given := settings.log_key.get_secret_value():
        return blake2b(given.encode()).digest()
    file = settings.log(root)[1].with_suffix(".key")
    if not file.exists():  # written beside, then linked: another process may do so too
        beside = file.with_suffix(f".{token_hex(4)}")
        beside.touch(mode=0o600)
        beside.write_bytes(token_bytes(KEY_BYTES))
        with suppress(FileExistsError):
            file.hardlink_to(beside)
        beside.unlink()
    if len(key := file.read_bytes()) < KEY_BYTES:
        raise UserError(f"{file} is damaged: set LOG_KEY, or delete the file to start new hashes.")
    return key
