"""The embeddings of an index in PostgreSQL with pgvector, which several machines share.

An index has a table, which is named by its hash. The first server that loads the index fills it.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, LiteralString
from weakref import finalize

from psycopg import Connection, Error, OperationalError, connect
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal
from psycopg_pool import ConnectionPool

from ..errors import Unavailable, UserError
from ..settings import redacted
from .postgres import OPTIONS, require_address
from .vectors import Cosines, Vector, read_vectors

DIGITS = 32  # of the hash
LONGEST_WAIT = 5.0  # seconds for a connection
VARIABLE = "VECTOR_STORE_URL"
NEEDS = "It needs the extension vector (pgvector)."
LOCK = "select pg_advisory_xact_lock(hashtextextended('vector store', 0))"
FIND = "select to_regclass(%s)"
CREATE = """
create extension if not exists vector;
create table {table} (passage integer, own boolean, embedding vector({dimensions}))
"""
COPY = "copy {table} from stdin"
FINISH = "create index on {table} (passage); analyze {table}"
MOST = "select max(texts) from (select count(*) as texts from {table} group by passage) as counted"
NEAREST = """
select passage from (
    select passage, embedding <#> %s::vector as distance from {table} order by distance limit %s
) as texts group by passage order by min(distance), passage limit %s
"""
COSINES = """
select passage, max(cosine), max(cosine) filter (where own)
from {table}, lateral (select -(embedding <#> %s::vector) as cosine) as texts
where passage = any(%s) group by passage
"""
log = logging.getLogger(__name__)


class PostgresVectors:
    """The embeddings of an index in a table."""

    def __init__(self, address: str, path: Path) -> None:
        """Connect, and fill the table from the file of the index, which is called by its hash.

        Raises:
            Unavailable: PostgreSQL cannot be reached.
            UserError: it cannot be used.
        """
        require_address(VARIABLE, address)
        self._table = Identifier(f"embeddings_{path.name[:DIGITS]}")
        try:
            with connect(address, **OPTIONS) as connection, connection.transaction():
                self._fill(connection, path)
                ((self._most,),) = connection.execute(self._sql(MOST)).fetchall()
        except Error as error:
            kind = Unavailable if isinstance(error, OperationalError) else UserError
            reason = redacted(str(error).partition("\n")[0])
            raise kind(f"{VARIABLE} cannot be used: {reason}. {NEEDS}") from None
        check = ConnectionPool.check_connection
        self._pool = ConnectionPool(
            address, kwargs=OPTIONS, min_size=1, timeout=LONGEST_WAIT, check=check, open=True
        )
        finalize(self, self._pool.close)  # when another version is served

    def nearest(self, embedding: Vector, count: int) -> list[int]:
        """Return the passages with the nearest texts, the nearest first."""
        found = self._read(NEAREST, str(embedding.tolist()), count * self._most, count)
        return [number for (number,) in found]

    def cosines(self, embedding: Vector, numbers: Iterable[int]) -> Mapping[int, Cosines]:
        """Return the cosines of passages, by number."""
        found = self._read(COSINES, str(embedding.tolist()), [*numbers])
        return {number: Cosines(nearest, own) for number, nearest, own in found}

    def _fill(self, connection: Connection, path: Path) -> None:
        """Fill the table, unless a server did; others wait."""
        connection.execute(LOCK)
        if connection.execute(FIND, [self._table.as_string()]).fetchone() == (None,):
            dimensions = Literal(next(read_vectors(path))[1].size)
            connection.execute(self._sql(CREATE, dimensions=dimensions))
            with connection.cursor().copy(self._sql(COPY)) as copy:
                before = None
                for passage, vector in read_vectors(path):
                    copy.write_row((passage, passage != before, str(vector.tolist())))
                    before = passage
            connection.execute(self._sql(FINISH))

    def _read(self, query: LiteralString, *values: object) -> list[Any]:
        try:
            with self._pool.connection() as connection:
                return connection.execute(self._sql(query), values).fetchall()
        except Error as error:
            log.warning("the vector store failed", extra={"kind": type(error).__name__})
            raise Unavailable("The vector store is not available: retry later.") from error

    def _sql(self, query: LiteralString, **parts: Composable) -> Composed:
        return SQL(query).format(table=self._table, **parts)
