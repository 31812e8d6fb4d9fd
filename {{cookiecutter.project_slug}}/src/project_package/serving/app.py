"""The server: one champion and the Api of the use case; nothing of the training side is imported.

A request that brings its past is answered in the event loop: a row takes tens of microseconds, less
than a thread would cost. What the state must know goes through `Live`, many requests at a time.
"""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import ceil
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from ..errors import UserError
from ..settings import Settings, read
from ..state import State, StateUnusable
from ..store import CHAMPION, Store
from . import logs
from .document import describe
from .door import Door, Limits, limits
from .follower import AnyApi, Follower
from .guard import Guard
from .keys import Ring
from .live import Live
from .metrics import Metrics
from .routes import Services, add_memory, add_metrics, add_predict, add_status
from .stopping import Server

RETRY_SECONDS = 1
BACKLOG = 2048
"""Connections that may wait to be accepted."""
log = logging.getLogger(__name__)


async def invalid(_: HttpRequest, error: Exception) -> JSONResponse:
    """Answer 422 with field and rule of each mistake; what was sent is not echoed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this only
    found = [{key: e[key] for key in ("loc", "msg", "type")} for e in error.errors()]
    return JSONResponse({"detail": found}, status_code=422)


async def unusable(_: HttpRequest, error: Exception) -> JSONResponse:
    """Answer 503 when the state can be neither read nor written: nothing was remembered."""
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return JSONResponse({"detail": str(error)}, status_code=503, headers=headers)


def create_app(
    api: AnyApi, store: Store, state: State, follow_seconds: float = 2, door: Door | None = None
) -> FastAPI:
    """Build the application; it looks for another champion every `follow_seconds`.

    Without a door, nobody is asked for a key.
    """
    champion, live = Follower(api, store, CHAMPION), Live(api, state)
    door = door or Door(None, Limits())
    metrics = Metrics(champion, door, state.size)

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
    app.add_middleware(Guard, door=door, metrics=metrics)
    describe(app, keys=door.keys is not None)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StateUnusable, unusable)
    services = Services(api, champion, live, metrics)
    for add in (add_predict, add_memory, add_status, add_metrics):
        add(app, services)
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
