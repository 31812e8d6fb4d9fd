"""What the server does in the event store: each call is one transaction for a batch of bodies."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from fastapi import HTTPException
from pydantic import BaseModel

from ..contract import Columns, EventStore, History, HistoryRows, Task, take
from ..fields import columns_of, to_rows
from .body import invalid
from .predictions import Answer, Answered, Versions

CONFLICT = "differs from the event that is stored with its key"
IN_FLIGHT = "Another process is answering an event of this body: retry later."
T = TypeVar("T")


class Body(NamedTuple):
    """The instances of a request; the history that each carries, None for that of the store."""

    requests: Sequence[Any]
    carried: Sequence[HistoryRows | None]


class _Batch:
    """The instances of several bodies in one line, and what becomes of each, by position."""

    def __init__(self, task: Task, bodies: Sequence[Body]) -> None:
        self.bodies = bodies
        self.requests = [request for body in bodies for request in body.requests]
        self.histories = [history for body in bodies for history in body.carried]
        self.origins = [(n, i) for n, body in enumerate(bodies) for i in range(len(body.requests))]
        self.rows = task.to_rows(self.requests)
        self.answers: dict[int, Answer] = {}
        self.first = list(range(len(self.requests)))
        """The first position of the same event: others get its answer."""
        self.refused: dict[int, Exception] = {}
        """By body."""

    def refuse(self, position: int, reason: str) -> None:
        """Refuse the body of an instance."""
        body, index = self.origins[position]
        if reason == IN_FLIGHT:
            self.refused[body] = HTTPException(409, reason, {"Retry-After": "1"})
        else:
            self.refused.setdefault(body, invalid(reason, "body", "instances", index))

    def unanswered(self) -> list[int]:
        """Return the instances to predict."""
        return [
            i
            for i, (body, _) in enumerate(self.origins)
            if self.first[i] == i and i not in self.answers and body not in self.refused
        ]

    def without_history(self) -> list[int]:
        """Return the instances to predict whose history the event store has to supply."""
        return [i for i in self.unanswered() if self.histories[i] is None]

    def at(self, positions: Sequence[int]) -> Columns:
        """Return the rows of instances."""
        return take(self.rows, np.array(positions, np.int64))

    def results(self) -> list[list[Answer] | Exception]:
        """Return the answers of each body, or why it is refused."""
        for i, (body, _) in enumerate(self.origins):
            if self.first[i] not in self.answers and body not in self.refused:
                self.refuse(i, IN_FLIGHT)  # the body with the same event was refused
        answers = split(
            [self.answers.get(i) for i in self.first], [b.requests for b in self.bodies]
        )
        return [
            self.refused.get(body) or [answer for answer in found if answer]
            for body, found in enumerate(answers)
        ]


class EventTransactions:
    """Transactions of one event store; results are in the order of the bodies.

    All methods raise StateUnavailable when the event store cannot be used.
    """

    def __init__(self, task: Task, history: History, store: EventStore, versions: Versions) -> None:
        self.task, self.history, self.store, self.versions = task, history, store, versions
        labels = set(columns_of(history.label)) - set(history.key) if history.label else set()
        self._compared = [name for name in columns_of(history.event) if name not in labels]

    def add_events(self, bodies: Sequence[Sequence[BaseModel]]) -> list[list[bool]]:
        """Store events; False for each that is stored already."""
        rows = to_rows([event for body in bodies for event in body], self.history.event)
        with self.store.transaction():
            return split(self.store.add(rows), bodies)

    def set_labels(self, bodies: Sequence[Sequence[BaseModel]]) -> list[list[bool]]:
        """Set labels; False for each whose event is not stored."""
        rows = to_rows([label for body in bodies for label in body], self.history.label)
        with self.store.transaction():
            return split(self.store.set_labels(rows), bodies)

    def predict(
        self, bodies: Sequence[Body]
    ) -> tuple[list[list[Answer] | Exception], list[Answered]]:
        """Return answers, or why a body is refused, and the batches that were predicted.

        A body with an event that differs from the stored one, or with a history that is not enough,
        is a RequestValidationError; one whose event is being answered an HTTPException (409).
        """
        batch, batches = _Batch(self.task, bodies), list[Answered]()
        is_event = self.history.request_is_event
        with self.store.transaction():
            # 1. Find the answers of repeated events, and store new ones.
            if is_event:
                self._find(batch)
                self._add(batch)
            lacking = batch.without_history()
            # 2. Read the histories that requests do not carry.
            stored = self.store.history(batch.at(lacking)) if lacking else []
            for i, history in zip(lacking, stored, strict=True):
                batch.histories[i] = history
                error = self.history.error(batch.requests[i], history)
                if error and not is_event:
                    batch.refuse(i, error)
            # 3. Predict, and store the answers for clients that ask again.
            if open_ := batch.unanswered():
                own = [batch.histories[i] or {} for i in open_]
                answers, batches = self.versions.predict(batch.at(open_), own)
                batch.answers |= dict(zip(open_, answers, strict=True))
            if lacking and is_event:
                texts = [" ".join(batch.answers[i]) for i in lacking]
                self.store.set_answers(batch.at(lacking), texts)
        return batch.results(), batches

    def _add(self, batch: _Batch) -> None:
        """Store and claim the events to predict; refuse those that another process is answering."""
        if lacking := batch.without_history():
            claimed = self.store.add(batch.at(lacking), claim=True)
            for i, is_ours in zip(lacking, claimed, strict=True):
                if not is_ours:
                    batch.refuse(i, IN_FLIGHT)

    def _find(self, batch: _Batch) -> None:
        """Look for stored events with the keys of instances: set answers, repeats and refusals."""
        positions = [i for i, history in enumerate(batch.histories) if history is None]
        values = {name: batch.rows[name].tolist() for name in self._compared}
        seen = dict[tuple[object, ...], int]()
        for i, event in zip(positions, self.store.find(batch.at(positions)), strict=True):
            first = seen.setdefault(tuple(values[name][i] for name in self.history.key), i)
            other = event.row if event else {name: values[name][first] for name in values}
            batch.first[i] = first
            if not all(_is_equal(values[name][i], other[name]) for name in values):
                batch.refuse(i, CONFLICT)
            elif event and event.answer:
                version, response = event.answer.split(" ", 1)
                batch.answers[i] = Answer(version, response)
            elif event and event.in_flight:
                batch.refuse(i, IN_FLIGHT)


def split(items: Sequence[T], bodies: Sequence[Sequence[object]]) -> list[list[T]]:
    """Return the items of each body."""
    each = iter(items)
    return [[next(each) for _ in body] for body in bodies]


def _is_equal(one: Any, two: Any) -> bool:
    """Compare values; None and NaN are both a missing one."""
    missing = [
        value is None or (isinstance(value, float) and math.isnan(value)) for value in (one, two)
    ]
    return all(missing) or bool(one == two)
