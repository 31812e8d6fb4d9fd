"""Read the result of a query as a stream: one Parquet file, whatever the size of the table.

PostgreSQL and SQLite, through ADBC: Arrow batches from the database's own driver. The database is
opened for reading only. An address may hold a password, so no message here repeats it. The drivers
take three seconds to import: only a source that is a query should import this module.
"""

from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import adbc_driver_postgresql.dbapi as postgresql  # type: ignore[import-untyped]
import adbc_driver_sqlite.dbapi as sqlite
import duckdb
from adbc_driver_manager.dbapi import Connection, Error
from duckdb import DuckDBPyConnection

from .errors import UserError

FORMS = "postgresql://user:password@host:port/database or sqlite:///path/of/file.db"
SQLITE_BATCH = {"adbc.sqlite.query.batch_rows": str(2**16)}
"""SQLite has no column types: the driver takes them from the first batch, so that one is large."""


def download(duck: DuckDBPyConnection, query: str, url: str, target: Path) -> None:
    """Write the rows that a query gives to a Parquet file, batch by batch, through DuckDB.

    Raises:
        UserError: no query or no usable address, a database that does not answer, a query that
            it refuses or that would change something, or a failure on the way.
    """
    if not query.strip():
        raise UserError('data.source is "sql" but data.query is empty: write the query there.')
    try:
        with _connect(url) as connection, connection.cursor() as cursor:
            if not _is_sqlite(url):
                cursor.execute("SET TRANSACTION READ ONLY")
            else:
                cursor.adbc_statement.set_options(**SQLITE_BATCH)
            cursor.execute(query)
            duck.register("stream", cursor.fetch_record_batch())
            duck.execute("COPY stream TO ? (FORMAT parquet)", [str(target)])
            duck.unregister("stream")
    except (Error, duckdb.Error) as error:
        raise UserError(_explain(str(error), url)) from None


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite:///")


def _connect(url: str) -> Connection:
    """Open the database that the address names."""
    if not url:
        raise UserError(f'data.source is "sql" but DATA_URL is not set: give {FORMS}.')
    if _is_sqlite(url):
        return _open_sqlite(Path(url.removeprefix("sqlite:///")))
    _refuse_unsafe(url)
    connection: Connection = postgresql.connect(url)
    return connection


def _open_sqlite(path: Path) -> Connection:
    if not path.is_file():
        raise UserError(f"DATA_URL: there is no SQLite file {path} (absolute: sqlite:////path).")
    return sqlite.connect(f"file:{quote(str(path))}?mode=ro")


def _refuse_unsafe(url: str) -> None:
    """Refuse addresses that libpq would read otherwise than meant, and quote parts of."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  a port that is no number raises here
        fits = parts.scheme in ("postgresql", "postgres") and url.count("@") <= 1
        fits = fits and ("@" in parts.netloc) == ("@" in url)
    except ValueError:
        fits = False
    if not fits:
        raise UserError(
            f"DATA_URL is no address of the form {FORMS}: mend it, and write characters such as "
            "@ : / # ? in a user or password as %40 %3A %2F %23 %3F."
        )


def _explain(message: str, url: str) -> str:
    """Turn a driver's message into one sentence that holds no secret."""
    told = message.partition("Query was:")[0].rpartition("IOError: ")[2]
    said = " ".join(line.strip() for line in told.splitlines())
    for secret in sorted(_secrets(url), key=len, reverse=True):
        said = said.replace(secret, "***")
    hint = "check DATA_URL and data.query"
    if "Type mismatch in column" in said:
        hint = "give each column one type, with CAST(... AS TEXT) in data.query"
    return f"The database gave no rows: {said.rstrip('. ')}; {hint}."


def _secrets(url: str) -> set[str]:
    parts = urlsplit(url)
    found = {url, parts.password or ""}
    found |= {value for name, value in parse_qsl(parts.query) if "pass" in name}
    return {text for secret in found for text in (secret, unquote(secret)) if text}
