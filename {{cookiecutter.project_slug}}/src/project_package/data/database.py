"""Write the result of a query to a Parquet file, batch by batch, whatever its size.

PostgreSQL and SQLite are read through ADBC, which returns Arrow batches; the connection is
read-only. An address may hold a password, so messages never repeat it.
"""

import re
from pathlib import Path
from urllib.parse import quote, unquote

import adbc_driver_postgresql.dbapi as postgresql  # type: ignore[import-untyped]
import adbc_driver_sqlite.dbapi as sqlite
import duckdb
from adbc_driver_manager.dbapi import Connection, Error
from duckdb import DuckDBPyConnection

from ..errors import UserError

FORMS = "postgresql://user:password@host:port/database or sqlite:///path/of/file.db"
SQLITE = "sqlite:///"
POSTGRESQL = re.compile(
    r"postgres(ql)?://([^@:/?#[\]]+(:[^@:/?#]*)?@)?"
    r"([^@:/?#[\]]*|\[[\da-fA-F:.]+\])(:\d+)?(/[^@?#]*)?(\?[^@#]*)?"
)
"""Addresses that libpq cannot misread; of others it may quote parts in its errors."""


def download(duck: DuckDBPyConnection, query: str, url: str, target: Path) -> None:
    """Write the rows of a query to a Parquet file, batch by batch, or raise UserError."""
    if not query.strip():
        raise UserError('data.source is "sql" but data.query is empty: write the query there.')
    try:
        with _connect(url) as connection, connection.cursor() as cursor:
            if url.startswith(SQLITE):
                # SQLite has no column types: the driver infers them from the first batch.
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
            else:
                cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(query)
            duck.from_arrow(cursor.fetch_record_batch()).write_parquet(str(target))
    except (Error, duckdb.Error) as error:
        raise UserError(_explain(str(error), url)) from None


def _connect(url: str) -> Connection:
    if not url:
        raise UserError(f'data.source is "sql" but DATA_URL is not set: set it to {FORMS}.')
    if url.startswith(SQLITE):
        path = url.removeprefix(SQLITE)
        if not Path(path).is_file():
            raise UserError(f"DATA_URL: there is no SQLite file {path} (absolute: {SQLITE}/path).")
        return sqlite.connect(f"file:{quote(path)}?mode=ro")
    if not POSTGRESQL.fullmatch(url):
        raise UserError(
            f"DATA_URL must have the form {FORMS}: correct it, and write characters such as "
            "@ : / # ? in a user or password as %40 %3A %2F %23 %3F."
        )
    connection: Connection = postgresql.connect(url)
    return connection


def _explain(message: str, url: str) -> str:
    """Turn a driver's message into one sentence without secrets."""
    cause = message.partition("Query was:")[0].rpartition("IOError: ")[2]
    text = " ".join(cause.split())
    passwords = re.findall(r"(?<=:)[^:@/]+(?=@)|(?<=password=)[^&]+", url)
    for secret in (url, *passwords, *map(unquote, passwords)):
        text = text.replace(secret, "***")
    hint = "check DATA_URL and data.query"
    if "Type mismatch in column" in text:
        hint = "cast each column to one type, with CAST(... AS TEXT) in data.query"
    return f"The database returned no rows: {text.rstrip('. ')}; {hint}."
