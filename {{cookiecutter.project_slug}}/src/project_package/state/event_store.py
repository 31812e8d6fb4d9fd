"""The event store: what its backends, SQLite and Redis, must do, and what they share."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..columns import TIMESTAMP, Columns, columns_of, length, take
from ..contract.history import History, HistoryRows
from ..errors import Unavailable

MILLISECOND = timedelta(milliseconds=1)
EntityId: TypeAlias = tuple[str, str]
"""The name of an entity, such as `card`, and the id of one of them."""
MAX_HISTORY = 200_000
"""Events that are read at once: with their features, they need about 100 MB."""
DTYPES = {str: object, int: np.int64, float: np.float64}
OTHER_COLUMNS = (
    "The event store has other columns than this program: set STATE_URL to a new one, and fill it "
    "with `ml backfill`."
)


PROBE_BYTES = 8192
"""What `delete_expired` writes and deletes again: some pages, as an event needs."""


class StateUnavailable(Unavailable):
    """The event store cannot be read or written now; a retry is safe."""


class EventRefused(StateUnavailable):
    """The event store cannot handle an event of a batch; it may handle the others."""

    concerns_all = False


@dataclass(frozen=True)
class LookBack:
    """The events of an entity that features of some rows read; times in milliseconds."""

    since: int
    """Events are later than this."""
    first: int
    """Of the events up to this time, only the last `rows` are read."""
    last: int
    """Events are not later than this."""
    rows: int


@dataclass(frozen=True)
class StoredEvent:
    """An event as the event store has it."""

    row: Mapping[str, object]
    answer: str = ""
    """The answer that was given for it; empty when there is none."""


class EventStore(Protocol):
    """The events of a use case with history. Rows have the columns of `History.event`.

    Call `find_events`, `add`, `history`, `set_answers` and `set_labels` inside `transaction`. Every
    method raises StateUnavailable when the backend cannot be used.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what happens inside, durably; SQLite undoes it when the body raises."""

    def find_events(self, rows: Columns) -> list[StoredEvent | None]:
        """Return the stored event with each row's key; None where there is none."""

    def add(self, rows: Columns, claim: bool = False) -> list[bool]:
        """Store events in this order; False for a row whose key is stored already.

        With `claim`, the events are about to be answered: False for a row that another process is
        answering, or has answered.
        """

    def history(self, rows: Columns) -> list[HistoryRows]:
        """Return the events of each row's entities that features read.

        Rows that are events share the history of an entity, without any of these rows; it has all
        events between the first and the last of them. Returns the histories of the first rows only
        when together they have more than `MAX_HISTORY` events: call it again for the rest.
        """

    def set_answers(self, rows: Columns, answers: Sequence[str]) -> None:
        """Store the answers that were given for events."""

    def set_labels(self, rows: Columns) -> list[bool]:
        """Set label columns of stored events; False for a row whose key is not stored."""

    def erase(self, kind: str, entity: str) -> int:
        """Delete all events of the entity with this id in the column `kind`; return how many."""

    def delete_expired(self, before: int) -> int:
        """Delete events received before a time, in milliseconds; return how many, a limited number.

        It writes in any case, so it fails when nothing can be stored.
        """

    def close(self) -> None:
        """Close the backend."""


def retention(history: History) -> timedelta:
    """Return how long an event is kept after it was received: the longest look-back and a week."""
    return max(entity.ttl for entity in history.entities) + timedelta(days=7)


def look_backs(history: History, rows: Columns) -> dict[EntityId, LookBack]:
    """Return which events the rows of each entity read, in the order of the rows."""
    result = dict[EntityId, LookBack]()
    for entity in history.entities:
        delay = entity.delay // MILLISECOND
        for number, time in zip(rows[entity.name], rows[TIMESTAMP].tolist(), strict=True):
            known = result.get((entity.name, number))
            first = min(known.first, time - delay) if known else time - delay
            last = max(known.last, time - delay) if known else time - delay
            since = first + delay - entity.ttl // MILLISECOND
            result[entity.name, number] = LookBack(since, first, last, entity.rows or MAX_HISTORY)
    return result


def first_rows(
    history: History, rows: Columns, read: Callable[[EntityId], int], max_events: int
) -> Columns:
    """Return the first rows whose histories have up to `max_events` together, at least one.

    `read` is called once for each of their entities and returns how many events it has.
    """
    done = 0
    count = 0
    known = set[EntityId]()
    while done < length(rows) and count <= max_events:
        for entity in history.entities:
            key = entity.name, rows[entity.name][done]
            if key not in known:
                known.add(key)
                count += read(key)
        done += 1
    return take(rows, slice(done))


def to_histories(
    history: History, rows: Columns, events: Mapping[EntityId, Columns]
) -> list[HistoryRows]:
    """Return the history of each row, from the events of entities in order of time."""
    histories: list[dict[str, Columns]] = [{} for _ in range(length(rows))]
    for entity in history.entities:
        asked = zip(rows[entity.name], rows[TIMESTAMP].tolist(), strict=True)
        for row_history, (name, time) in zip(histories, asked, strict=True):
            shared = events[entity.name, name]
            if not history.request_is_event:  # other rows are no events: each has its own history
                ends = [time - entity.ttl // MILLISECOND, time]
                own = slice(*np.searchsorted(shared[TIMESTAMP], ends, side="right"))
                shared = take(shared, own)
            row_history[entity.name] = shared
    return [*histories]


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
