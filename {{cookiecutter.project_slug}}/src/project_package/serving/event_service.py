"""The event store behind the server: it answers requests with stored events, and stores new ones.

The modules `event_*` exist only in projects whose features read earlier events.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from fastapi import FastAPI

from ..contract.history import History, history_of
from ..errors import UserError
from ..settings import Settings
from ..state.event_store import MILLISECOND, EventStore, StateUnavailable, retention
from ..state.open_store import open_store, store_address
from .batching import MicroBatcher
from .clock import Clock
from .event_and_label_routes import add_event_routes
from .event_transactions import EventTransactions
from .labels import Labels
from .predicted_batch import Prediction
from .prediction_service import PredictionService, Requests

EXPIRY_SECONDS = 60.0  # how often expired events are deleted
Items = TypeVar("Items")
Results = TypeVar("Results")


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
        self._clock = Clock()
        # A slow event store leaves some room for requests that do not need it. With half of it,
        # refusals, which need a validated body, took as much time as answers at 512 connections.
        slots = asyncio.Semaphore(max(1, settings.serve_max_in_flight * 7 // 8))
        limits = slots, settings.serve_answer_seconds
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
            return await self._requests.submit(requests, self._predictions.weigh(requests))
        return await self._predictions.predict(requests)

    def add_routes(self, app: FastAPI, labels: Labels | None) -> None:
        """Add the routes that receive events and labels; what they say goes to `labels` too."""
        add_event_routes(app, self._history, self._events.submit, self._labels.submit, labels)

    async def maintain(self, seconds: float) -> None:
        """Delete expired events every minute; retry sooner while the store cannot be used.

        Each deletion writes, and only a successful write resets the error.
        """
        due = 0.0
        while True:
            deleted = 0
            if self.error or time.monotonic() >= due:
                with suppress(StateUnavailable):
                    deleted = await self._run(self._store.delete_expired, self._expiry())
                    self.error = ""
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
        """Run an operation in the thread, and note when the store cannot be used."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, operation, items)
        except StateUnavailable as error:
            if error.concerns_all:
                self.error = str(error)
            raise

    def _expiry(self) -> int:
        """Return when events that expire now were received, in milliseconds."""
        if not self._clock.is_right():
            return 0
        return round(time.time() * 1000) - retention(self._history) // MILLISECOND


def open_events(predictions: PredictionService, settings: Settings, root: Path) -> EventService:
    """Open the event store that STATE_URL names, for the task of a prediction service.

    Raises:
        UserError: the store cannot be opened, or the model is awaited.
    """
    champion = predictions.canary.champion.current()
    history = history_of(champion.task)
    if champion.is_async:
        raise UserError(f"Version {champion.version} is awaited and cannot use an event store.")
    store = open_store(store_address(settings, root), history)
    return EventService(history, store, predictions, settings)
