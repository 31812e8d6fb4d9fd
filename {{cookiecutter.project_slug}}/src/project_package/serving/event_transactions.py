"""What the server does in the event store: each call is one transaction for a batch of bodies."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray
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


class _Refused(Exception):
    """Some bodies of a batch are refused, so nothing of the batch may be committed."""

    def __init__(self, errors: Mapping[int, str], bodies: Sequence[Body]) -> None:
        """Take reasons by the position of their instance in all bodies."""
        super().__init__()
        owners = [(n, i) for n, body in enumerate(bodies) for i in range(len(body.requests))]
        self.bodies: dict[int, Exception] = {}
        for position, reason in errors.items():
            number, index = owners[position]
            if reason == IN_FLIGHT:
                self.bodies[number] = HTTPException(409, reason, {"Retry-After": "1"})
            else:
                error = invalid(reason, "body", "instances", index)
                self.bodies.setdefault(number, error)


class EventTransactions:
    """Transactions of one event store; results are in the order of the bodies.

    All methods raise StateUnavailable when the event store cannot be used.
    """

    def __init__(self, task: Task, history: History, store: EventStore, versions: Versions) -> None:
        self.task, self.history, self.store, self.versions = task, history, store, versions
        labels = set(columns_of(history.label)) - set(history.key) if history.label else set()
        self._compared = [name for name in columns_of(history.event) if name not in labels]

    def predict(
        self, bodies: Sequence[Body]
    ) -> tuple[list[list[Answer] | Exception], list[Answered]]:
        """Return answers, or why a body is refused, and the batches that were predicted.

        A body whose event differs from the stored one, or whose history is not enough, is a
        RequestValidationError; one whose event is being answered an HTTPException (409).
        """
        results: dict[int, list[Answer] | Exception] = {}
        batches: list[Answered] = []
        while accepted := [n for n in range(len(bodies)) if n not in results]:
            try:
                with self.store.transaction():
                    answers, batches = self._predict([bodies[n] for n in accepted])
            except _Refused as refused:
                results |= {accepted[n]: error for n, error in refused.bodies.items()}
            else:
                results |= dict(zip(accepted, answers, strict=True))
        return [results[n] for n in range(len(bodies))], batches

    def add_events(self, bodies: Sequence[Sequence[BaseModel]]) -> list[list[bool]]:
        """Store events; False for each that is stored already."""
        rows = to_rows([event for body in bodies for event in body], self.history.event)
        with self.store.transaction():
            added = self.store.add(rows)
        return split(added, bodies)

    def set_labels(self, bodies: Sequence[Sequence[BaseModel]]) -> list[list[bool]]:
        """Set labels; False for each whose event is not stored."""
        rows = to_rows([label for body in bodies for label in body], self.history.label)
        with self.store.transaction():
            found = self.store.set_labels(rows)
        return split(found, bodies)

    def _predict(self, bodies: Sequence[Body]) -> tuple[list[list[Answer]], list[Answered]]:
        """Predict the instances of all bodies in one batch; raise _Refused for some of them."""
        # 1. Line up the instances of all bodies.
        requests = [request for body in bodies for request in body.requests]
        histories = [history for body in bodies for history in body.carried]
        rows = self.task.to_rows(requests)
        stored = [i for i, history in enumerate(histories) if history is None]

        # 2. Find those that were answered before; store the others.
        answers, repeats = dict[int, Answer](), dict[int, int]()
        if self.history.request_is_event:
            answers, repeats, new, errors = self._find(rows, stored)
            if not errors:
                added = self.store.add(_at(rows, new)) if new else []
                errors = {i: IN_FLIGHT for i, ok in zip(new, added, strict=True) if not ok}
            if errors:
                raise _Refused(errors, bodies)

        # 3. Read the histories of those that are left.
        left = [i for i in range(len(requests)) if i not in answers and i not in repeats]
        stored = [i for i in left if histories[i] is None]
        found = self.store.history(_at(rows, stored)) if stored else []
        for i, history in zip(stored, found, strict=True):
            histories[i] = history
        reasons = {i: self.history.error(requests[i], histories[i] or {}) for i in stored}
        if errors := {i: reason for i, reason in reasons.items() if reason}:
            raise _Refused(errors, bodies)

        # 4. Predict, and store the answers for clients that ask again.
        batches: list[Answered] = []
        if left:
            own = [histories[i] or {} for i in left]
            given, batches = self.versions.predict(_at(rows, left), own)
            answers |= dict(zip(left, given, strict=True))
        if self.history.request_is_event and stored:
            texts = [" ".join(answers[i]) for i in stored]
            self.store.set_answers(_at(rows, stored), texts)
        in_order = [answers[repeats.get(i, i)] for i in range(len(requests))]
        return split(in_order, [body.requests for body in bodies]), batches

    def _find(
        self, rows: Columns, positions: Sequence[int]
    ) -> tuple[dict[int, Answer], dict[int, int], list[int], dict[int, str]]:
        """Look for stored events with the keys of rows, by the positions of these.

        Returns answers that were given before; for a key that appears again its first position;
        new events; and errors.
        """
        answers, repeats, new = dict[int, Answer](), dict[int, int](), list[int]()
        errors, first = dict[int, str](), dict[tuple[object, ...], int]()
        values = {name: rows[name].tolist() for name in self._compared}
        events = self.store.find(_at(rows, positions))
        for i, event in zip(positions, events, strict=True):
            original = first.setdefault(tuple(values[name][i] for name in self.history.key), i)
            other = event.row if event else {name: values[name][original] for name in values}
            if not all(_is_equal(values[name][i], other[name]) for name in values):
                errors[i] = CONFLICT
            elif event and event.answer:
                version, response = event.answer.split(" ", 1)
                answers[i] = Answer(version, response)
            elif event and event.in_flight:
                errors[i] = IN_FLIGHT
            elif original != i:
                repeats[i] = original
            elif event is None:
                new.append(i)
        return answers, repeats, new, errors


def _at(rows: Columns, positions: Sequence[int]) -> Columns:
    indices: NDArray[np.int64] = np.array(positions, np.int64)
    return take(rows, indices)


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
