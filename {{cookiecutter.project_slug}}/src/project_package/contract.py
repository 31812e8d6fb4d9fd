"""The contract between a use case and the rest of the project.

A use case is two frozen records of plain functions: `Task`, here, is what the server needs;
`Training`, in `training`, is what the lifecycle adds. The type checker verifies both where the use
case builds them.

Rows move as `Columns`, named numpy arrays of equal length. A prediction takes the same path in
evaluation, batch and server:

    requests -> to_rows -> (history.features) -> Model.predict -> to_responses -> responses

The part in parentheses exists only in use cases whose features read earlier events.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from fastapi import APIRouter

    from .api_keys import Scope
    from .bundle import Bundle

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Named arrays of equal length, one row per instance; text has dtype object."""
HistoryRows: TypeAlias = Mapping[str, Columns]
"""Earlier rows by entity, in order of time: `timestamp` and the columns of the entity."""
Files: TypeAlias = Mapping[str, bytes]


class Frozen(BaseModel):
    """A value read from a file or a request: fields cannot change, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def take(columns: Columns, rows: NDArray[Any]) -> Columns:
    """Select rows by a mask or by indices."""
    return {name: values[rows] for name, values in columns.items()}


def concatenate(parts: Sequence[Columns]) -> Columns:
    """Return the rows of all parts, one part after the other, with the columns of the first."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def length(columns: Columns) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values())))


def choices_differ(one: Columns, two: Columns) -> NDArray[np.bool_]:
    """Return the rows in which a prediction that is not a floating-point number differs."""
    differs = np.zeros(length(one), np.bool_)
    for name, values in one.items():
        if values.dtype.kind != "f":
            differs |= (values != two[name]).reshape(len(values), -1).any(axis=1)
    return differs


class Model(Protocol):
    """A model loaded from a bundle; several threads may call it at once."""

    def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row; raise ModelError when it cannot answer them."""


class AsyncModel(Protocol):
    """A model that waits for others, such as an LLM: it is awaited instead of batched."""

    async def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row."""


@dataclass(frozen=True)
class Entity:
    """Whose earlier events the features of a new row read: a card, a terminal, a product."""

    name: str
    """The column with its id."""
    ttl: timedelta
    """How far back features look."""
    columns: tuple[str, ...]
    """The columns of its earlier events that features read."""


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


@dataclass(frozen=True)
class History:
    """How earlier events become features of a request."""

    entities: tuple[Entity, ...]
    event: type[BaseModel]
    """An event as POST /v1/events takes it; its fields are the columns of the event store."""
    key: tuple[str, ...]
    """The columns that identify an event."""
    from_request: Callable[[Any], HistoryRows | None]
    """Return the history that a request contains; None when the event store has to supply it."""
    features: Callable[[Columns, Sequence[HistoryRows]], Columns]
    """Compute the features of rows, each from its own history."""
    open_store: Callable[[str, "History"], EventStore]
    """Open the event store at a file path or a redis:// URL."""
    error: Callable[[Any, HistoryRows], str] = lambda *_: ""
    """Return what is missing in a history, as the end of a sentence; empty when it is enough.
    Not used for requests that are events: they are answered with the history that there is."""
    request_is_event: bool = False
    """A request is an event itself: it is stored when it is answered."""
    label: type[BaseModel] | None = None
    """What becomes known of an event later, as POST /v1/labels takes it."""

    @property
    def retention(self) -> timedelta:
        """How long an event is kept after it was received: the longest look-back and a week."""
        return max(entity.ttl for entity in self.entities) + timedelta(days=7)


@dataclass(frozen=True)
class Task:
    """What the server needs. Built from a bundle, since a table's fields may come from it."""

    name: str
    request: type[BaseModel]
    response: type[BaseModel]
    load: Callable[["Bundle"], Model | AsyncModel]
    to_rows: Callable[[Sequence[Any]], Columns]
    """Turn requests into rows: what the model takes, or the raw columns that features read."""
    to_responses: Callable[[Columns, Columns], Sequence[BaseModel]]
    """Turn rows and their predictions into responses."""
    monitored: Callable[[Columns, Columns], Columns]
    """Select the numbers and categories of rows and predictions that are worth watching."""
    unseen: Callable[[Columns], Mapping[str, int]] = lambda _: {}
    """Count the values of rows that training never saw, by column, for the metrics."""
    entity: str = ""
    """The column of rows that says whom an answer is about; empty when there is none."""
    id: str = ""
    """The column of rows that identifies an instance, for labels that come later."""
    history: History | None = None
    slow_requests: bool = False
    """Requests take milliseconds to validate, as images do: a thread validates and answers them."""
    media_types: Mapping[str, str] = field(default_factory=dict)
    """Other content types of POST /v1/predict, each with the field of one request that it fills."""
    routers: "Mapping[Scope, APIRouter]" = field(default_factory=dict)
    """Routes that only this task offers, by the scope of the API key that they need."""

    def add_features(self, rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
        """Return rows as the model takes them: with the features of their histories, if any."""
        return rows if self.history is None else {**rows, **self.history.features(rows, histories)}

    def to_features(self, requests: Sequence[Any]) -> Columns:
        """Turn requests into rows as the model takes them; one without history has no events."""
        history = self.history
        histories = [history.from_request(request) or {} for request in requests] if history else []
        return self.add_features(self.to_rows(requests), histories)
