"""The part of the contract for features that read earlier events."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from pydantic import BaseModel

from ..columns import Columns
from .task import Task

HistoryRows: TypeAlias = Mapping[str, Columns]
"""Earlier rows by entity, in order of time: `timestamp` and the columns of the entity. Requests
that are events of one entity share one object, with the events that any of them reads."""


@dataclass(frozen=True)
class Entity:
    """A kind of id whose earlier events features read: a card, a terminal, a product."""

    name: str
    """The column with the id."""
    ttl: timedelta
    """How far back features look."""
    columns: tuple[str, ...]
    """The columns of the earlier events that features read."""
    delay: timedelta = timedelta()
    """How old an event must be before features read it."""
    rows: int | None = None
    """How many events, the last ones that are as old as `delay`, features read; None for all."""


@dataclass(frozen=True)
class History:
    """How earlier events become features of a request."""

    entities: tuple[Entity, ...]
    event: type[BaseModel]
    """An event as POST /v1/events takes it; its fields are the columns of the event store."""
    key: tuple[str, ...]
    """The columns that identify an event."""
    to_raw_rows: Callable[[Sequence[Any]], Columns]
    """Turn requests into rows without features: the columns that features read."""
    needs_store: Callable[[Any], bool]
    """Return whether the event store has to supply the history of a request."""
    from_request: Callable[[Any], HistoryRows]
    """Return the history that a request contains; empty when it has none."""
    features: Callable[[Columns, Sequence[HistoryRows]], Columns]
    """Compute the features of raw rows from their histories, which `merge_history` merges. Rows
    that share a history are earlier rows of each other."""
    error: Callable[[Any, HistoryRows], str] = lambda *_: ""
    """Return what is missing in the history of a request, as the end of a sentence; empty when it
    is enough. Not used for requests that are events: they are answered with the history that there
    is."""
    request_is_event: bool = False
    """A request is an event itself: it is stored when it is answered."""
    label: type[BaseModel] | None = None
    """What becomes known of an event later, as POST /v1/labels takes it."""
    outcome: tuple[str, ...] = ()
    """The columns of labels, or else of events, that say what was predicted; none if neither."""

    def add_features(self, rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
        """Return raw rows with the features of their histories."""
        return {**rows, **self.features(rows, histories)}

    def to_rows(self, requests: Sequence[Any]) -> Columns:
        """Turn requests into rows with features, for `Task`; without history, there are none."""
        histories = [self.from_request(request) for request in requests]
        return self.add_features(self.to_raw_rows(requests), histories)


@dataclass(frozen=True, kw_only=True)
class HistoryTask(Task):
    """A task whose features read earlier events."""

    history: History

    @property
    def entities(self) -> tuple[str, ...]:
        """The kinds of entity whose events are stored, by the column with their ids."""
        return tuple(entity.name for entity in self.history.entities)


def history_of(task: Task) -> History:
    """Return the history of a task; raise TypeError when it is no HistoryTask."""
    if isinstance(task, HistoryTask):
        return task.history
    raise TypeError(f"The task {task.name} has no history: it must be a HistoryTask.")
