"""Predict requests in batches: in the event loop, or in a thread.

A batch that needs little time is predicted in the event loop, since a change of threads would take
longer. Slow batches have a thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import TypeAlias

from opentelemetry.trace import get_current_span
from pydantic import BaseModel

from ..errors import Unavailable
from ..settings import Settings
from .batching import MAX_BATCH_ROWS, MicroBatcher, split
from .canary import Canary
from .model_loader import ServedModel
from .predicted_batch import Observe, PredictedBatch, Prediction, make_batch
from .prometheus import Metrics
from .read_body import invalid

SLOW_SECONDS = 0.005  # a slower batch runs in a thread, so that health checks are answered
Requests: TypeAlias = Sequence[BaseModel]
Item: TypeAlias = tuple[Requests, Context]
"""The requests of a body, and the context in which it arrived, with its trace."""
Predict: TypeAlias = Callable[[Requests], Awaitable[list[Prediction]]]
"""Return the predictions for requests, in their order: see `PredictionService.predict`."""


class PredictionService:
    """Predicts requests with all that they need in themselves."""

    def __init__(
        self, canary: Canary, observe: Observe, metrics: Metrics, settings: Settings
    ) -> None:
        """Take the versions that answer; `observe` gets every batch that was predicted."""
        self.canary = canary
        self.observe = observe
        self.metrics = metrics
        self.thread = ThreadPoolExecutor(1, "model")
        self._seconds = settings.serve_answer_seconds
        slots = asyncio.Semaphore(settings.serve_max_in_flight)
        self._batcher = MicroBatcher[Item, list[Prediction]](self._predict, slots, self._seconds)

    async def predict(self, requests: Requests) -> list[Prediction]:
        """Predict requests, in their order.

        Raises:
            RequestValidationError: they count for more than a batch.
            Unavailable: too many requests wait, or the answer takes too long.
        """
        served = self.canary.champion.current()
        rows = self.weigh(requests)
        if served.is_async:
            return await self._await_prediction(served, requests)
        if served.task.traces and get_current_span().is_recording():
            rows = MAX_BATCH_ROWS  # alone in its batch
        return await self._batcher.submit((requests, copy_context()), rows)

    def weigh(self, requests: Requests) -> int:
        """Return how many instances requests count for.

        Raises:
            RequestValidationError: they count for more than a batch.
        """
        rows = sum(map(self.canary.champion.current().task.weight, requests))
        if rows > MAX_BATCH_ROWS:
            message = f"take the time of {rows:,} instances: send at most {MAX_BATCH_ROWS:,}"
            raise invalid(message, "body", "instances")
        return rows

    async def close(self) -> None:
        """Answer what waits."""
        await self._batcher.close()
        self.thread.shutdown()

    async def _await_prediction(self, served: ServedModel, requests: Requests) -> list[Prediction]:
        """Predict with an AsyncModel, which needs no batches and has no challenger."""
        rows = served.task.to_rows(requests)
        try:
            async with asyncio.timeout(self._seconds):
                predictions = await served.model.predict(rows)  # type: ignore[misc]
        except TimeoutError:
            raise Unavailable("The answer takes too long: retry later.") from None
        batch = make_batch(served, rows, predictions)
        self.observe([batch])
        return batch.to_list()

    async def _predict(self, items: Sequence[Item]) -> list[list[Prediction]]:
        """Predict a batch; the spans of a request that is alone in it belong to its trace."""
        bodies = [requests for requests, _ in items]
        context = items[0][1] if len(items) == 1 else Context()
        requests = [request for body in bodies for request in body]
        task = self.canary.champion.current().task

        def predict() -> tuple[list[Prediction], list[PredictedBatch]]:
            return self.canary.predict(task.to_rows(requests))

        rows = sum(map(task.weight, requests))
        if task.slow_requests or self.canary.estimate(rows) > SLOW_SECONDS:
            loop = asyncio.get_running_loop()
            predictions, batches = await loop.run_in_executor(self.thread, context.run, predict)
        else:
            predictions, batches = context.run(predict)
        self.observe(batches)
        return split(predictions, bodies)
