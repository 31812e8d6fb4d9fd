"""The event store: where it is, what its backends must do, and what SQLite and Redis share."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..columns import TIMESTAMP, Columns, columns_of, length
from ..contract.history import History, HistoryRows
from ..errors import Unavailable, UserError
from ..settings import Settings, read_settings_as, shown

REDIS = ("redis://", "rediss://")
MILLISECOND = timedelta(milliseconds=1)
DTYPES = {str: object, int: np.int64, float: np.float64}
OTHER_COLUMNS = (
    "The event store has other columns than this program: set STATE_URL to a new one, and fill it "
    "with `ml backfill`."
)


class StateUnavailable(Unavailable):
    """The event store cannot be read or written now; a retry is safe."""


@dataclass(frozen=True)
class StoredEvent:
    """An event as the event store has it."""

    row: Mapping[str, object]
    answer: str = ""
    """The answer that was given for it; empty when there is none."""


class EventStore(Protocol):
    """The events of a use case with history. Rows have the columns of `History.event`.

    Call `find`, `add`, `history`, `set_answers` and `set_labels` inside `transaction`. Every
    method raises StateUnavailable when the backend cannot be used.
    """

    def transaction(self) -> AbstractContextManager[None]:
        """Commit what happens inside, durably; SQLite undoes it when the body raises."""

    def find(self, rows: Columns) -> list[StoredEvent | None]:
        """Return the stored event with each row's key; None where there is none."""

    def add(self, rows: Columns, claim: bool = False) -> list[bool]:
        """Store events in this order; False for a row whose key is stored already.

        With `claim`, the events are about to be answered: False for a row that another process is
        answering, or has answered.
        """

    def history(self, rows: Columns) -> list[HistoryRows]:
        """Return the events of each row's entities up to its time, stored before the row itself."""

    def set_answers(self, rows: Columns, answers: Sequence[str]) -> None:
        """Store the answers that were given for events."""

    def set_labels(self, rows: Columns) -> list[bool]:
        """Set label columns of stored events; False for a row whose key is not stored."""

    def erase(self, entity: str) -> int:
        """Delete all events of an entity id, of any kind of entity; return how many."""

    def delete_expired(self) -> int:
        """Delete events received longer ago than `History.retention`; return how many."""

    def close(self) -> None:
        """Close the backend."""


class StateSettings(Settings):
    """The settings of a project whose features read stored events."""

    state_url: str = ""
    """SQLite file or redis:// address of the event store; empty means `state.db`."""

    def state(self, root: Path) -> str:
        """Return the address of a Redis, or of an absolute file; raise UserError for another."""
        address = self.state_url.removeprefix("sqlite:///") or "state.db"
        if address.startswith(REDIS):
            return address
        if ":/" in address:
            raise UserError(
                f"STATE_URL={shown(address)} is none of redis://, rediss:// and sqlite:///file."
            )
        return str(root.absolute() / Path(address).expanduser())


def store_address(settings: Settings, root: Path) -> str:
    """Return the address of the event store; STATE_URL is read unless the settings have it."""
    if not isinstance(settings, StateSettings):
        settings = read_settings_as(StateSettings)
    return settings.state(root)


def open_store(address: str, history: History) -> EventStore:
    """Open the store at a redis:// or rediss:// URL, or in a SQLite file, or raise UserError."""
    if address.startswith(REDIS):
        from .redis import RedisStore  # noqa: PLC0415  its library takes a third of a second

        return RedisStore(address, history)
    from .sqlite import SqliteStore  # noqa: PLC0415  a server with a Redis does not need it

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
