"""The server: one champion and the Api of the use case; nothing of the training side is imported.

A request that brings its past is answered in the event loop: a row takes tens of microseconds, less
than a thread would cost. What the state must know goes through `Live`, many requests at a time.
"""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from math import ceil
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from ..errors import UserError
from ..settings import Settings, read
from ..state import State
from ..store import CHAMPION, Store
from . import logs
from .batch import Batch, Watch
from .document import describe
from .door import Door, Limits, limits
from .follower import AnyApi, Follower
from .guard import Guard
from .keys import Ring
from .live import Live
from .metrics import Metrics
from .problems import answer_problems
from .routes import Services, add_memory, add_metrics, add_predict, add_status
from .stopping import Server
from .together import Together
from .versions import Versions

OBJECTS_A_COLLECTION = 20_000
"""That a body of a thousand instances makes some thousands of is no reason to collect."""
BACKLOG = 2048
"""Connections that may wait to be accepted."""
log = logging.getLogger(__name__)


def create_app(
    api: AnyApi, store: Store, state: State, follow_seconds: float = 2, door: Door | None = None
) -> FastAPI:
    """Build the application; it looks for another champion every `follow_seconds`.

    Without a door, nobody is asked for a key.
    """
    champion, door = Follower(api, store, CHAMPION), door or Door(None, Limits())
    metrics = Metrics(champion, door, state.size)

    def observe(batches: Sequence[Batch]) -> None:
        for batch in batches:
            signals = api.signals(batch.features, batch.predictions)
            metrics.observe(batch.served.version, signals)

    versions, watch = Versions(champion), Watch(after=observe)
    together, live = Together(api, versions, watch), Live(api, state, versions, watch)

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        """Follow the store and work off what waits, while the application runs."""
        works = [champion.follow(follow_seconds), live.run(), door.sweep()]
        if door.keys is not None:
            works.append(door.keys.follow(follow_seconds))
        tasks = [asyncio.create_task(work) for work in works]
        yield
        await live.finish()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=api.name,
        lifespan=working,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
    )
    app.state.champion = champion
    describe(app, keys=door.keys is not None)
    answer_problems(app)
    services = Services(api, champion, together, live, metrics)
    for add in (add_predict, add_memory, add_status, add_metrics):
        add(app, services)
    app.add_middleware(Guard, door=door, metrics=metrics, routes=app.routes)
    return app


def serve(api: AnyApi, host: str, port: int, quiet: bool = False) -> None:
    """Serve until interrupted; an empty host or a negative port is taken from the settings.

    Raises:
        UserError: nobody may listen there, the state cannot be opened, or a setting is wrong.
    """
    settings, root = read(), Path.cwd()
    logs.start(quiet)
    door, state = _door(settings, root), State(settings.state(root), api.memory)
    app = create_app(api, Store(settings.store(root)), state, settings.serve_follow_seconds, door)
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not look at it with every 700 objects
    gc.set_threshold(OBJECTS_A_COLLECTION)
    with _listen(host or settings.serve_host, settings.serve_port if port < 0 else port) as opened:
        if not quiet:
            _greet(app.state.champion, opened)
        config = uvicorn.Config(
            app,
            log_config=None,  # its records go where ours go
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=ceil(settings.serve_answer_seconds),
        )
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # which uvicorn asks at the end
        with suppress(KeyboardInterrupt):
            Server(config, door).run(sockets=[opened])
    state.close()


def _door(settings: Settings, root: Path) -> Door:
    """Open the door to whoever has a key; or to all, with a warning."""
    path = settings.keys(root)
    if path is None:
        log.warning("API keys are off: who reaches this address may ask, feed and read everything")
    return Door(None if path is None else Ring(path), limits(settings))


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"Nobody can listen on {host}, port {port}: {error}. Give others with --host and "
            "--port, or SERVE_HOST and SERVE_PORT."
        ) from error


def _greet(champion: Follower, opened: socket.socket) -> None:
    host, port = opened.getsockname()[:2]
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    served, reason = champion.served, champion.refused or champion.unreachable
    what = f"Version {served.version}" if served else f"Nothing ({reason})"
    sys.stdout.write(f"{what} is served on {where}; try requests on {where}/docs.\n")
    sys.stdout.flush()
