"""What the server does in the event store: each call is one transaction for a batch of bodies.

A body that is refused raises; the micro-batcher then tries smaller batches, until only this body
gets the error. SQLite stores nothing of a call that raises. A Redis may have stored events that it
did not answer: they count as events, and are answered when they are sent again.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from fastapi import HTTPException
from pydantic import BaseModel

from ..columns import Columns, columns_of, take, to_rows
from ..contract.history import History, HistoryRows
from ..state.event_store import EventStore, label_columns
from .batching import split
from .canary import Canary
from .predicted_batch import PredictedBatch, Prediction
from .read_body import invalid

IN_FLIGHT = "Another process is answering an event of this body: retry later."


class EventTransactions:
    """Transactions of one event store; results are in the order of the bodies.

    All methods raise StateUnavailable when the event store cannot be used.
    """

    def __init__(self, history: History, store: EventStore, canary: Canary) -> None:
        self.history = history
        self.store = store
        self.canary = canary
        self._conflict = f"differs from the stored event with its {', '.join(history.key)}"
        labels = label_columns(history)
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
        self, bodies: Sequence[Sequence[Any]]
    ) -> tuple[list[list[Prediction]], list[PredictedBatch]]:
        """Return the predictions for each body, and the batches in which they were made.

        Raises:
            RequestValidationError: an event differs from the stored one, or a history is too short.
            HTTPException: 409, another process is answering an event.
        """
        requests = [request for body in bodies for request in body]
        rows = self.history.to_raw_rows(requests)
        first = list(range(len(requests)))
        answers: dict[int, Prediction] = {}
        stored = [i for i, request in enumerate(requests) if self.history.needs_store(request)]
        with self.store.transaction():
            # 1. Find the answers of repeated events, and store new ones.
            if self.history.request_is_event:
                first, answers = self._find_answers(rows, stored)
                stored = [i for i in stored if first[i] == i and i not in answers]
                if stored and not all(self.store.add(_at(rows, stored), claim=True)):
                    raise HTTPException(409, IN_FLIGHT, {"Retry-After": "1"})
            # 2. Predict, and store the answers for clients that ask again.
            batches: list[PredictedBatch] = []
            for positions, histories in self._histories(requests, rows, stored):
                with_features = self.history.add_features(_at(rows, positions), histories)
                predicted, parts = self.canary.predict(with_features)
                answers |= dict(zip(positions, predicted, strict=True))
                batches += parts
            if stored and self.history.request_is_event:
                texts = [" ".join(answers[i]) for i in stored]
                self.store.set_answers(_at(rows, stored), texts)
        each = [answers[first[i]] for i in range(len(requests))]
        return split(each, bodies), batches

    def _histories(
        self, requests: Sequence[Any], rows: Columns, stored: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], Sequence[HistoryRows]]]:
        """Yield histories with the positions of their rows: those of requests, then stored ones."""
        supplied = [i for i, r in enumerate(requests) if not self.history.needs_store(r)]
        if supplied:
            yield supplied, [self.history.from_request(requests[i]) for i in supplied]
        while stored:
            histories = self.store.history(_at(rows, stored))
            positions = stored[: len(histories)]
            for i, history in zip(positions, histories, strict=True):
                error = self.history.error(requests[i], history)
                if error and not self.history.request_is_event:
                    raise invalid(error, "body", "instances", i)
            yield positions, histories
            stored = stored[len(histories) :]

    def _find_answers(
        self, rows: Columns, positions: Sequence[int]
    ) -> tuple[list[int], dict[int, Prediction]]:
        """Return for each row the first with the same event, and the answers that are stored."""
        values = {name: rows[name].tolist() for name in self._compared}
        first = list(range(len(values[self.history.key[0]])))
        answers = dict[int, Prediction]()
        seen = dict[tuple[object, ...], int]()
        for i, event in zip(positions, self.store.find_events(_at(rows, positions)), strict=True):
            first[i] = seen.setdefault(tuple(values[name][i] for name in self.history.key), i)
            same = event.row if event else {name: values[name][first[i]] for name in values}
            if not all(_is_equal(values[name][i], same[name]) for name in values):
                raise invalid(self._conflict, "body", "instances", i)
            if event and event.answer:
                answers[i] = Prediction(*event.answer.split(" ", 2))
        return first, answers


def _at(rows: Columns, positions: Sequence[int]) -> Columns:
    return take(rows, np.array(positions, np.int64))


def _is_equal(value: Any, other: Any) -> bool:
    """Compare values; None and NaN are both a missing one."""
    missing = [v is None or (isinstance(v, float) and math.isnan(v)) for v in (value, other)]
    return all(missing) or bool(value == other)
