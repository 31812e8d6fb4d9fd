"""The server: a FastAPI application around the champion, and how it is run.

Nothing of the training side is imported.
"""

import asyncio
import gc
import logging.config
import os
import pkgutil
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from math import ceil
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Security
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from ..bundle import Bundle
from ..contract import Task
from ..errors import ModelError, Unavailable, UserError
from ..model_store import CHALLENGER, CHAMPION, Store
from ..prediction_log import open_log
from ..settings import Settings, read
from .auth import open_keys, require
from .compat import MLFLOW_HEALTH, add_compat
from .event_transactions import EventTransactions
from .log_config import logging_config
from .log_writer import LogWriter
from .metrics import FOLDER, Metrics
from .middleware import RETRY, add_middleware
from .model_loader import ModelLoader
from .prediction_service import EventService, PredictionService
from .predictions import Answered, Versions
from .routes import HEALTH_PATHS, add_admin, add_events, add_health, add_predict, document
from .schemas import Ready
from .shadow import Shadow

log = logging.getLogger(__name__)


def create_app(
    make_task: Callable[[Bundle], Task], settings: Settings | None = None, root: Path | None = None
) -> FastAPI:
    """Build the application; settings and folder are those of the process unless given.

    Raises:
        UserError: no champion can be loaded, or event store, prediction log or keys be opened.
    """
    settings, root = settings or read(), root or Path.cwd()
    services = Services(make_task, settings, root)
    task, champion, metrics = services.task, services.champion, services.metrics
    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=champion.current().bundle.manifest.name,
        version="v1",
        lifespan=services.run,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
    )
    app.state.settings, app.state.metrics, app.state.champion = settings, metrics, champion
    app.state.keys = keys = services.keys
    app.state.thread = services.predictions.thread if task.slow_requests else None

    # Examples are rows of the data: the page, which needs no key, shows none where keys are on.
    add_predict(app, task, services.predictions, () if keys else champion.current().examples)
    if task.history and services.events:
        add_events(app, task.history, services.events)
    add_admin(app, champion, metrics)
    add_compat(app, task, services.predictions, champion)
    add_health(app, services.ready)
    for scope, router in task.routers.items():
        app.include_router(router, dependencies=[Security(require(scope))])
    document(app, task)

    for kind in (Unavailable, ModelError):
        app.add_exception_handler(kind, refuse)
    exempt = {*HEALTH_PATHS, *MLFLOW_HEALTH, settings.aip_health_route, "/metrics"}
    add_middleware(app, settings, metrics, exempt)
    return app


class Services:
    """The services that the routes use, and their background tasks."""

    def __init__(self, make_task: Callable[[Bundle], Task], settings: Settings, root: Path) -> None:
        self.settings, self.metrics = settings, Metrics()
        store = Store(settings.store(root))
        self.champion = ModelLoader(make_task, store, CHAMPION, self.metrics)
        self.task = task = self.champion.current().task
        self.challenger = ModelLoader(make_task, store, CHALLENGER, self.metrics, running=task)
        versions = Versions(self.champion, self.challenger, settings.serve_canary)
        self.keys = open_keys(settings, root)
        prediction_log = open_log(settings, root)
        self.log = LogWriter(prediction_log, self.metrics) if prediction_log else None
        self.shadow = Shadow(self.challenger, self.metrics, self.log)
        self.events = None
        if task.history:
            event_store = task.history.open_store(settings.state(root), task.history)
            transactions = EventTransactions(task, task.history, event_store, versions)
            self.events = EventService(transactions, self.metrics, self.observe, settings)
        self.predictions = PredictionService(versions, self.events, self.observe, settings)

    def observe(self, batches: Sequence[Answered]) -> None:
        """Count and log answers, and queue them for shadow mode; never wait, never raise."""
        for batch in batches:
            rows = len(batch.answers)
            self.metrics.predictions.labels(batch.served.version).inc(rows)
            self.metrics.batch_rows.observe(rows)
            for column, count in batch.served.task.unseen(batch.rows).items():
                self.metrics.unseen.labels(column).inc(count)
            if self.log:
                self.log.write(batch, batch.served.alias)
            self.shadow.submit(batch)

    def ready(self) -> Ready:
        """Return what GET /readyz reports."""
        errors = {
            "champion": self.champion.refused,
            "challenger": self.challenger.refused,
            "model_store": self.champion.unreachable,
            "state": self.events and self.events.error,
            "log": self.log and self.log.error,
        }
        return Ready(
            model_version=self.champion.current().version,
            degraded=[part for part, error in errors.items() if error],
        )

    @asynccontextmanager
    async def run(self, _: FastAPI) -> AsyncIterator[None]:
        """Run the background tasks; at shutdown, finish the requests that wait."""
        seconds = self.settings.serve_poll_seconds
        jobs = [self.champion.poll(seconds), self.challenger.poll(seconds)]
        if self.events:
            jobs.append(self.events.maintain(seconds))
        if self.log:
            self.log.start()
        tasks = [asyncio.create_task(job) for job in jobs]
        for task in tasks:
            task.add_done_callback(log_failure)
        gc.freeze()  # exclude what is loaded from garbage collection
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.predictions.close()
        if self.events:
            await self.events.close()
        self.shadow.close()
        if self.log:
            self.log.close()


async def refuse(_: Request, error: Exception) -> JSONResponse:
    """Answer 503 while a service is unavailable, and 500 when the model fails on a request."""
    if isinstance(error, Unavailable):
        return JSONResponse({"detail": str(error)}, 503, RETRY)
    log.error("the model cannot answer a request", extra={"reason": str(error)})
    return JSONResponse({"detail": "The model cannot answer this request."}, 500)


def log_failure(task: "asyncio.Task[None]") -> None:
    """Log the error that ended a background task."""
    if not task.cancelled() and (error := task.exception()):
        log.error("a background task failed", exc_info=error)


def serve(factory: str, host: str, port: int, workers: int, quiet: bool) -> None:
    """Serve the application of a factory, `module:function`, until interrupted.

    An empty host, a negative port and no workers mean those of the settings; port 0 a free one.

    Raises:
        UserError: the address cannot be used, or the application cannot be built.
    """
    settings = read()
    workers = workers or settings.serve_workers
    options: dict[str, Any] = {
        "http": "h11",  # httptools has no limit on the size of request heads
        "ws": "none",
        "access_log": False,
        "server_header": False,
        "log_config": logging_config(quiet),
        "timeout_graceful_shutdown": ceil(settings.serve_answer_seconds),
    }
    logging.config.dictConfig(options["log_config"])
    with listen(host or settings.host, settings.port if port < 0 else port) as listening:
        app = pkgutil.resolve_name(factory)()  # first here: uvicorn restarts a worker that fails
        host, port = listening.getsockname()[:2]
        if not quiet:
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            version = app.state.champion.current().version
            sys.stdout.write(f"Version {version} is served on {url}; try requests on {url}/docs.\n")
            sys.stdout.flush()
        if workers == 1:
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # which exits with 0
            with suppress(KeyboardInterrupt):
                uvicorn.Server(uvicorn.Config(app, **options)).run(sockets=[listening])
            return
        with tempfile.TemporaryDirectory() as folder:
            os.environ[FOLDER] = folder
            uvicorn.run(factory, factory=True, workers=workers, fd=listening.fileno(), **options)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise UserError when it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"The server cannot listen on {host}, port {port}: {str(error).rstrip('.')}. Set "
            "another with --host and --port, or SERVE_HOST and SERVE_PORT."
        ) from error
