"""The event store behind the server: requests that need it, and the routes for events and labels.

This module and `event_transactions` exist only in projects whose features read earlier events.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from fastapi import FastAPI, Request
from pydantic import BaseModel, Field

from ..contract.history import History, history_of
from ..errors import UserError
from ..fields import Frozen
from ..settings import Settings
from ..state.event_store import EventStore, StateUnavailable
from ..state.open_store import open_store
from ..state.settings import store_address
from .batching import MicroBatcher
from .event_transactions import EventTransactions
from .predicted_batch import Prediction
from .prediction_service import PredictionService, Requests
from .read_body import read_body
from .routes import protected

EXPIRY_SECONDS = 60.0  # how often expired events are deleted
MAX_EVENTS = 10_000
Items = TypeVar("Items")
Results = TypeVar("Results")
T = TypeVar("T", bound=BaseModel)
EventList = Annotated[list[T], Field(min_length=1, max_length=MAX_EVENTS, fail_fast=True)]
log = logging.getLogger(__name__)


class Events(Frozen, Generic[T]):
    """Events to store."""

    events: EventList[T]


class EventsStored(BaseModel):
    """How many events were new, and how many were stored already."""

    new: int
    known: int


class Labels(Frozen, Generic[T]):
    """Labels of stored events."""

    labels: EventList[T]


class LabelsSet(BaseModel):
    """How many labels were set, and the indices of those whose event is not stored."""

    set: int
    unknown: list[int]


class EventService:
    """Predicts requests with stored events, and stores events and labels, in batches.

    Every result comes after the commit of its batch. `error` is why the event store could not be
    used the last time; empty when it could.
    """

    def __init__(
        self,
        history: History,
        store: EventStore,
        predictions: PredictionService,
        settings: Settings,
    ) -> None:
        """Take the event store, and the service for requests that contain their history."""
        self.error = ""
        self._history = history
        self._store = store
        self._transactions = transactions = EventTransactions(history, store, predictions.canary)
        self._predictions = predictions
        self._thread = ThreadPoolExecutor(1, "event-store")
        # A slow event store leaves room for requests that do not need it.
        limits = max(1, settings.serve_max_in_flight // 2), settings.serve_answer_seconds
        add = partial(self._run, transactions.add_events)
        label = partial(self._run, transactions.set_labels)
        self._requests = MicroBatcher[Requests, list[Prediction]](self._predict, *limits)
        self._events = MicroBatcher[Requests, list[bool]](add, *limits)
        self._labels = MicroBatcher[Requests, list[bool]](label, *limits)

    async def predict(self, requests: Requests) -> list[Prediction]:
        """Predict requests, in their order.

        Raises:
            RequestValidationError: the history of a request is not enough, or its event is stored
                with other values.
            HTTPException: 409, another process is answering an event.
            Unavailable: the event store cannot be used, too many requests wait, or the answer takes
                too long.
        """
        if any(map(self._history.needs_store, requests)):
            return await self._requests.submit(requests, len(requests))
        return await self._predictions.predict(requests)

    def add_routes(self, app: FastAPI) -> None:
        """Add POST /v1/events, and POST /v1/labels where there are labels."""
        events_type = Events[self._history.event]  # type: ignore[name-defined]

        @app.post("/v1/events", summary="Store events", **protected("labels", events_type))
        async def events(request: Request) -> EventsStored:
            """Store events; one whose key is stored already changes nothing."""
            body = await read_body(request, events_type)
            added = await self._events.submit(body.events, len(body.events))
            return EventsStored(new=sum(added), known=len(added) - sum(added))

        if self._history.label is None:
            return
        labels_type = Labels[self._history.label]  # type: ignore[name-defined]

        @app.post("/v1/labels", summary="Set labels", **protected("labels", labels_type))
        async def labels(request: Request) -> LabelsSet:
            """Set the labels of stored events."""
            body = await read_body(request, labels_type)
            is_known = await self._labels.submit(body.labels, len(body.labels))
            unknown = [index for index, known in enumerate(is_known) if not known]
            return LabelsSet(set=len(is_known) - len(unknown), unknown=unknown)

    async def maintain(self, seconds: float) -> None:
        """Delete expired events every minute; retry sooner while the store cannot be used."""
        due = 0.0
        while True:
            deleted = 0
            if self.error or time.monotonic() >= due:
                with suppress(StateUnavailable):
                    deleted = await self._run(lambda _: self._store.delete_expired(), ())
                    due = time.monotonic() + (0 if deleted else EXPIRY_SECONDS)
            await asyncio.sleep(0.01 if deleted else seconds)  # a call deletes a limited number

    async def close(self) -> None:
        """Handle what waits, then close the store."""
        for batcher in (self._requests, self._events, self._labels):
            await batcher.close()
        self._thread.shutdown()
        self._store.close()

    async def _predict(self, bodies: Sequence[Requests]) -> list[list[Prediction]]:
        results, batches = await self._run(self._transactions.predict, bodies)
        self._predictions.observe(batches)
        return results

    async def _run(self, operation: Callable[[Items], Results], items: Items) -> Results:
        """Run an operation in the thread, and note whether the store can be used."""
        error = ""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, operation, items)
        except StateUnavailable as unavailable:
            error = str(unavailable)
            raise
        finally:
            if error and not self.error:
                log.warning("the event store cannot be used", extra={"reason": error})
            self.error = error
            self._predictions.metrics.degraded.labels("state").set(bool(error))


def open_events(predictions: PredictionService, settings: Settings, root: Path) -> EventService:
    """Open the event store that STATE_URL names, for the task of a prediction service.

    Raises:
        UserError: the store cannot be opened, or the model is awaited.
    """
    history = history_of(predictions.task)
    champion = predictions.canary.champion.current()
    if champion.is_async:
        raise UserError(f"Version {champion.version} is awaited and cannot use an event store.")
    store = open_store(store_address(settings, root), history)
    return EventService(history, store, predictions, settings)
