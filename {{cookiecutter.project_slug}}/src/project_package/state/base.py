"""Open the event store of a use case; what its two backends share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ..contract import Columns, EventStore, History, length
from ..errors import StateUnavailable
from ..fields import TIMESTAMP, columns_of

MILLISECOND = timedelta(milliseconds=1)
DTYPES = {str: object, int: np.int64, float: np.float64}
OTHER_COLUMNS = (
    "The event store has other columns than this program: set STATE_URL to a new one, and fill it "
    "with `ml backfill`."
)


def open_store(address: str, history: History) -> EventStore:
    """Open the store at a redis:// or rediss:// URL, or in a SQLite file, or raise UserError."""
    if address.startswith(("redis://", "rediss://")):
        from .redis import RedisStore  # noqa: PLC0415  its library takes a third of a second

        return RedisStore(address, history)
    from .sqlite import SqliteStore  # noqa: PLC0415  it imports this module

    return SqliteStore(Path(address), history)


@contextmanager
def reported(error: type[Exception]) -> Iterator[None]:
    """Raise StateUnavailable for an error of the backend's library."""
    try:
        yield
    except error as cause:
        raise StateUnavailable(f"The event store cannot be used: {cause}.") from cause


def label_columns(history: History) -> Mapping[str, type]:
    """Return the columns that a label sets: all but those that identify or date the event."""
    columns = columns_of(history.label) if history.label else {}
    return {n: kind for n, kind in columns.items() if n not in (*history.key, TIMESTAMP)}


def to_values(rows: Columns, columns: Mapping[str, type]) -> list[tuple[Any, ...]]:
    """Return the values of each row; None for columns that the rows lack."""
    none = np.full(length(rows), None)
    arrays = [rows.get(n, none).astype(DTYPES[kind], copy=False) for n, kind in columns.items()]
    return list(zip(*(array.tolist() for array in arrays), strict=True))


def to_columns(values: Sequence[tuple[Any, ...]], columns: Mapping[str, type]) -> Columns:
    """Return the values of rows as columns; a missing number is NaN."""
    lists = zip(*values, strict=True) if values else [()] * len(columns)
    kinds = zip(columns.items(), lists, strict=True)
    return {name: np.array(numbers, DTYPES[kind]) for (name, kind), numbers in kinds}
