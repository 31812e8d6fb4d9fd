"""Answer requests in batches: in the event loop, in a thread, or with the event store.

A batch that needs no stored history and little time is predicted in the event loop, since a change
of threads would take longer. Slow batches and the event store have a thread each.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeAlias, TypeVar

from pydantic import BaseModel

from ..errors import StateUnavailable, Unavailable
from ..settings import Settings
from .batching import MicroBatcher
from .event_transactions import Body, EventTransactions, split
from .metrics import Metrics
from .model_loader import ServedModel
from .predictions import Answer, Answered, Versions, respond

EXPIRY_SECONDS = 60.0  # how often expired events are deleted
SLOW_SECONDS = 0.005  # a slower batch runs in a thread, so that health checks are answered
Models: TypeAlias = Sequence[BaseModel]
Observe: TypeAlias = Callable[[Sequence[Answered]], None]
Items = TypeVar("Items")
Results = TypeVar("Results")
log = logging.getLogger(__name__)


class EventService:
    """Runs batches in the event store; every result comes after the commit of its batch.

    `error` is why the event store could not be used the last time; empty when it could. `requests`,
    `events` and `labels` take what `EventTransactions` has a method for, and return its results.
    """

    def __init__(
        self,
        transactions: EventTransactions,
        metrics: Metrics,
        observe: Observe,
        settings: Settings,
    ) -> None:
        self._transactions, self._metrics, self._observe = transactions, metrics, observe
        self.error = ""
        self._thread = ThreadPoolExecutor(1, "event-store")
        # A slow event store leaves room for requests that do not need it.
        limits = max(1, settings.serve_max_in_flight // 2), settings.serve_answer_seconds
        add, label = transactions.add_events, transactions.set_labels
        self.requests = MicroBatcher[Body, list[Answer]](self._predict, *limits)
        self.events = MicroBatcher[Models, list[bool]](partial(self._run, add), *limits)
        self.labels = MicroBatcher[Models, list[bool]](partial(self._run, label), *limits)

    async def maintain(self, seconds: float) -> None:
        """Delete expired events every minute; retry sooner while the store cannot be used."""
        store, due = self._transactions.store, 0.0
        while True:
            deleted = 0
            if self.error or time.monotonic() >= due:
                with suppress(StateUnavailable):
                    deleted = await self._run(lambda _: store.delete_expired(), ())
                    due = time.monotonic() + (0 if deleted else EXPIRY_SECONDS)
            await asyncio.sleep(0.01 if deleted else seconds)  # a call deletes a limited number

    async def close(self) -> None:
        """Handle what waits, then close the store."""
        for batcher in (self.requests, self.events, self.labels):
            await batcher.close()
        self._thread.shutdown()
        self._transactions.store.close()

    async def _predict(self, bodies: Sequence[Body]) -> list[list[Answer]]:
        results, answered = await self._run(self._transactions.predict, bodies)
        self._observe(answered)
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
            self._metrics.degraded.labels("state").set(bool(error))
            self.error = error


class PredictionService:
    """Answers requests: in the event loop, in a thread, or with the event store."""

    def __init__(
        self, versions: Versions, events: EventService | None, observe: Observe, settings: Settings
    ) -> None:
        """Take the versions that answer; `observe` gets every batch that was answered."""
        self.versions, self.events, self.observe = versions, events, observe
        self.task = versions.champion.current().task
        self._seconds = settings.serve_answer_seconds
        self.thread = ThreadPoolExecutor(1, "model")
        self._batcher = MicroBatcher[Body, list[Answer]](
            self._predict, settings.serve_max_in_flight, self._seconds
        )

    async def predict(self, requests: Models) -> list[Answer]:
        """Answer requests, in their order.

        Raises:
            RequestValidationError: the history of a request is not enough, or its event is stored
                with other values.
            HTTPException: 409, another process is answering an event.
            Unavailable: the event store cannot be used, too many requests wait, or the answer takes
                too long.
        """
        served, history = self.versions.champion.current(), self.task.history
        if served.is_async:
            return await self._await_prediction(served, requests)
        histories = [history.from_request(request) for request in requests] if history else []
        body = Body(requests, histories)
        if self.events and None in histories:
            return await self.events.requests.submit(body, len(requests))
        return await self._batcher.submit(body, len(requests))

    async def close(self) -> None:
        """Answer what waits."""
        await self._batcher.close()
        self.thread.shutdown()

    async def _await_prediction(self, served: ServedModel, requests: Models) -> list[Answer]:
        """Answer with an AsyncModel, which needs no batches and has no challenger."""
        rows = self.task.to_rows(requests)
        try:
            async with asyncio.timeout(self._seconds):
                predictions = await served.model.predict(rows)  # type: ignore[misc]
        except TimeoutError:
            raise Unavailable("The answer takes too long: retry later.") from None
        answered = respond(served, rows, predictions)
        self.observe([answered])
        return [Answer(served.version, response) for response in answered.answers]

    async def _predict(self, bodies: Sequence[Body]) -> list[list[Answer]]:
        rows = sum(len(body.requests) for body in bodies)
        if self.task.slow_requests or self.versions.estimate(rows) > SLOW_SECONDS:
            loop = asyncio.get_running_loop()
            answers, answered = await loop.run_in_executor(self.thread, self._answer, bodies)
        else:
            answers, answered = self._answer(bodies)
        self.observe(answered)
        return split(answers, [body.requests for body in bodies])

    def _answer(self, bodies: Sequence[Body]) -> tuple[list[Answer], list[Answered]]:
        requests = [request for body in bodies for request in body.requests]
        histories = [history or {} for body in bodies for history in body.histories]
        return self.versions.predict(self.task.to_rows(requests), histories)
