"""What language models have cost today, shared by the processes of a machine."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

LONGEST_WAIT = 5.0  # seconds for another process that writes
SCHEMA = "create table if not exists spending (day text primary key, usd real, tokens integer)"
FIND = "select usd, tokens from spending where day = ?"
ADD = """
insert into spending values (?, ?, ?)
on conflict (day) do update set usd = usd + excluded.usd, tokens = tokens + excluded.tokens
"""


class Amount(NamedTuple):
    """US dollars, and tokens that were read and written."""

    usd: float
    tokens: int


FREE = Amount(0.0, 0)


class Spending:
    """Amounts by day (UTC), in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reserve(self, day: str, amount: Amount, limit: Amount) -> bool:
        """Add an amount to a day unless that exceeds the limit; return whether it was added."""
        with self._transaction() as connection:
            spent = Amount(*(connection.execute(FIND, (day,)).fetchone() or FREE))
            if spent.usd + amount.usd > limit.usd or spent.tokens + amount.tokens > limit.tokens:
                return False
            connection.execute(ADD, (day, *amount))
            return True

    def correct(self, day: str, reserved: Amount, actual: Amount) -> None:
        """Replace a reservation with the actual cost."""
        change = Amount(actual.usd - reserved.usd, actual.tokens - reserved.tokens)
        with self._transaction() as connection:
            connection.execute(ADD, (day, *change))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file, and let no other process write until the end."""
        with closing(sqlite3.connect(self._path, timeout=LONGEST_WAIT)) as connection, connection:
            connection.execute(SCHEMA)
            connection.execute("begin immediate")
            yield connection


def today() -> str:
    """Return the date, UTC."""
    return datetime.now(UTC).date().isoformat()
