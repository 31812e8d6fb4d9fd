"""The prediction log in PostgreSQL: batches as the outbox has them, and a view of predictions."""

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ..errors import UserError
from .record import Away

CONNECT_SECONDS = 5
ANSWER_MS = 10_000
"""How long the server may take to work, or to receive, before it counts as away."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS prediction_batches (
  id text PRIMARY KEY, at bigint, version text, role text,
  events text, subjects text, signals json, answers json
);
CREATE INDEX IF NOT EXISTS prediction_batches_at ON prediction_batches (at);
CREATE OR REPLACE VIEW predictions AS
SELECT b.id || '-' || n - 1 AS id, version, role, to_timestamp(at / 1000.0) AS time,
  trim(substr(events, n::int * 16 - 15, 16)) AS event,
  trim(substr(subjects, n::int * 16 - 15, 16)) AS subject,
  row.signals, row.answer
FROM prediction_batches b, ROWS FROM (
  json_array_elements(b.signals), json_array_elements(b.answers)
) WITH ORDINALITY AS row (signals, answer, n);
"""
INSERT = """
INSERT INTO prediction_batches VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


class Postgres:
    """The database that an outbox is emptied into; connected while it answers."""

    def __init__(self, url: str) -> None:
        """Take its address; raise UserError when it is none."""
        try:
            conninfo_to_dict(url)
        except psycopg.Error:  # says what it read, which may be a part of the password
            raise UserError(
                "LOG_URL is no address of the form postgresql://user:password@host:port/database: "
                "mend it, and write characters such as @ : / in a password as %40 %3A %2F."
            ) from None
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def keep(self, batches: list[tuple[Any, ...]]) -> None:
        """Keep batches; those that are there already stay.

        Raises:
            Away: the server cannot be reached, or refuses.
        """
        self._run(INSERT, batches)

    def forget(self, before: int) -> None:
        """Delete what is older (milliseconds since 1970); raise Away as above."""
        self._run("DELETE FROM prediction_batches WHERE at < %s", [(before,)])

    def _run(self, command: str, values: list[tuple[Any, ...]]) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.executemany(command, values)
        except psycopg.Error as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            raise Away(f"PostgreSQL cannot be used: {str(error).partition(chr(10))[0]}") from None

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            tcp_user_timeout=ANSWER_MS,
            options=f"-c statement_timeout={ANSWER_MS}",
        )
        with connection.transaction():
            connection.execute(SCHEMA)
        return connection
