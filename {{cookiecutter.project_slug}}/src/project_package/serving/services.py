"""The services behind the routes, and their background tasks, from start to shutdown."""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from multiprocessing import parent_process
from pathlib import Path
from typing import Protocol, TypeAlias

import anyio
from fastapi import FastAPI

from ..bundle import Bundle
from ..columns import Columns
from ..contract.task import Served, Task
from ..model_store import CHALLENGER, CHAMPION, DOWNLOADS, Store
from ..prediction_log import open_log
from ..settings import Settings
from .auth import open_keys
from .canary import Canary
from .labels import Labels
from .log_writer import LogWriter
from .model_loader import ModelLoader
from .page import Page
from .predicted_batch import PredictedBatch, Prediction, make_batch
from .prediction_service import PredictionService, Requests
from .prometheus import Metrics
from .read_body import read_body
from .routes import Ready
from .shadow import Shadow

CLOSE_SECONDS = 5  # to finish background work after the last request
log = logging.getLogger(__name__)


class EventHandling(Protocol):
    """What the server needs of an event store: see `EventService` in projects that have one."""

    error: str

    async def predict(self, requests: Requests) -> list[Prediction]:
        """Predict requests, with stored events where they have none."""

    def add_routes(self, app: FastAPI, labels: Labels | None) -> None:
        """Add the routes that receive events; outcomes go to the labels too."""

    async def maintain(self, seconds: float) -> None:
        """Delete expired events until cancelled."""

    async def close(self) -> None:
        """Handle what waits, then close the store."""


OpenEvents: TypeAlias = Callable[[PredictionService, Settings, Path], EventHandling]


class Services:
    """All services of one server; `run` starts and stops them."""

    def __init__(
        self,
        make_task: Callable[[Bundle], Task],
        settings: Settings,
        root: Path,
        open_events: OpenEvents | None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics = Metrics()
        store = Store(settings.store(root), root / DOWNLOADS)
        self.champion = ModelLoader(make_task, store, CHAMPION, metrics)
        self.task = task = self.champion.current().task
        self.challenger = ModelLoader(make_task, store, CHALLENGER, metrics, running=task)
        canary = Canary(self.champion, self.challenger, settings.serve_canary)
        self.keys = open_keys(settings, root)
        prediction_log = open_log(settings, root)
        self.log = LogWriter(prediction_log, metrics, settings.log_rows) if prediction_log else None
        self.labels = Labels(prediction_log) if prediction_log else None
        self.page = Page(self.champion, store, prediction_log, self.ready)
        self.shadow = Shadow(self.challenger, metrics, self.log)
        self.predictions = PredictionService(canary, self.observe, metrics, settings)
        self.events = open_events(self.predictions, settings, root) if open_events else None
        self.predict = (self.events or self.predictions).predict
        self.closing = "jobs"

    def served(self) -> Served:
        """Return the version that answers now, for the routes of a task."""
        champion = self.champion.current()

        def observe(rows: Columns, predictions: Columns) -> dict[str, str]:
            batch = make_batch(champion, rows, predictions)
            self.observe([batch])
            return dict(zip(batch.ids, batch.responses, strict=True))

        return Served(champion.model, observe, read_body)

    def observe(self, batches: Sequence[PredictedBatch]) -> None:
        """Count and log predictions, and queue them for shadow mode; never wait, never raise."""
        for batch in batches:
            rows = len(batch.responses)
            self.metrics.predictions.labels(batch.served.version).inc(rows)
            self.metrics.batch_rows.observe(rows)
            self.count_unseen(batch)
            if self.log:
                self.log.write(batch, batch.served.alias)
            self.shadow.submit(batch)

    def count_unseen(self, batch: PredictedBatch) -> None:
        """Count values that training never saw."""
        try:
            for column, count in batch.served.task.unseen(batch.rows, batch.predictions).items():
                self.metrics.unseen.labels(column).inc(count)
        except Exception as error:  # noqa: BLE001  the use case's `unseen` may raise any
            log.warning("unseen values are not counted", extra={"reason": repr(error)})

    def errors(self) -> dict[str, str]:
        """Return why a part cannot be used, by part; empty for one that can."""
        return {
            "champion": self.champion.refused,
            "challenger": self.challenger.refused,
            "model_store": self.champion.unreachable or self.challenger.unreachable,
            "state": self.events.error if self.events else "",
            "log": self.log.error if self.log else "",
        }

    def ready(self) -> Ready:
        """Return what GET /readyz reports."""
        degraded = [part for part, error in self.errors().items() if error]
        return Ready(model_version=self.champion.current().version, degraded=degraded)

    async def watch(self) -> None:
        """Set the metric `degraded`, and log when a part fails or recovers, until cancelled."""
        before: dict[str, str] = {}
        while True:
            for part, error in self.errors().items():
                self.metrics.degraded.labels(part).set(bool(error))
                if bool(error) != bool(before.get(part)):
                    event = "a part cannot be used" if error else "a part can be used again"
                    log.warning(event, extra={"part": part, "reason": error})
                before[part] = error
            await asyncio.sleep(1)

    @asynccontextmanager
    async def run(self, _: FastAPI) -> AsyncIterator[None]:
        """Run the background tasks; at shutdown, finish the requests that wait."""
        seconds = self.settings.serve_poll_seconds
        jobs = [self.watch(), stop_with_parent()]
        jobs += [loader.poll(seconds) for loader in (self.champion, self.challenger)]
        if self.events:
            jobs.append(self.events.maintain(seconds))
        if self.log:
            self.log.start()
        tasks = [asyncio.create_task(job) for job in jobs]
        for task in tasks:
            task.add_done_callback(log_failure)
        gc.freeze()  # exclude what is loaded from garbage collection
        yield
        limit = threading.Timer(CLOSE_SECONDS, self.abort)
        limit.start()
        try:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()
        finally:
            limit.cancel()

    async def close(self) -> None:
        """Finish the requests that wait, and then what runs in the background."""
        self.closing = "model"
        await self.predictions.close()
        if self.events:
            self.closing = "state"
            await self.events.close()
        self.closing = "shadow"
        self.shadow.close()
        self.closing = "polls"
        await asyncio.get_running_loop().shutdown_default_executor()
        if self.log:
            self.closing = "log"
            self.log.close()

    def abort(self) -> None:
        """End the process: a thread that hangs would keep it, and its port, forever."""
        if self.log:
            self.log.drop()
        log.error("the server does not stop: it is ended", extra={"part": self.closing})
        os._exit(70)  # the code of a crash


async def stop_with_parent() -> None:
    """Stop as after SIGTERM when this is a worker whose parent process has ended."""
    if parent := parent_process():
        await anyio.wait_readable(parent.sentinel)  # readable when it has ended
        signal.raise_signal(signal.SIGTERM)


def log_failure(task: "asyncio.Task[None]") -> None:
    """Log the error that ended a background task."""
    if not task.cancelled() and (error := task.exception()):
        log.error("a background task failed", exc_info=error)
