"""The server: one champion and the Api of the use case; nothing of the training side is imported.

A request that brings its past is answered in the event loop: a row takes tens of microseconds, less
than a thread would cost. What the state must know goes through `Live`, many requests at a time.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from ..errors import UserError
from ..settings import read
from ..state import State, StateUnusable
from ..store import CHALLENGER, CHAMPION, Store
from .batch import Watch
from .dialects import add_kserve, add_mlflow, add_vertex
from .direct import Direct
from .follower import AnyApi, Follower
from .live import Live
from .outbox import Log, open_log
from .record import LogUnusable
from .routes import Services, add_memory, add_predict, add_status
from .shadow import Shadow
from .together import Together
from .versions import Versions

RETRY_SECONDS = 1


@dataclass(frozen=True)
class Beside:
    """What goes along with answers: the prediction log, the challenger's share, more routes."""

    log: Log | None = None
    canary: float = 0
    """Share of subjects (0 to 1) that the challenger answers."""
    routes: tuple[str, str] = ("", "")
    """Of Vertex AI: to predict, and to ask how the server is."""


async def invalid(_: HttpRequest, error: Exception) -> JSONResponse:
    """Answer 422 with field and rule of each mistake; what was sent is not echoed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this only
    found = [{key: e[key] for key in ("loc", "msg", "type")} for e in error.errors()]
    return JSONResponse({"detail": found}, status_code=422)


async def unusable(_: HttpRequest, error: Exception) -> JSONResponse:
    """Answer 503 when the state or the log cannot be used: nothing was remembered."""
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return JSONResponse({"detail": str(error)}, status_code=503, headers=headers)


def create_app(
    api: AnyApi,
    store: Store,
    state: State,
    follow_seconds: float = 2,
    beside: Beside = Beside(),
) -> FastAPI:
    """Build the application; it looks for another champion every `follow_seconds`."""
    champion, log = Follower(api, store, CHAMPION), beside.log
    challenger = Follower(api, store, CHALLENGER, optional=True)
    shadow = Shadow(challenger, log.record if log else None)
    watch = Watch(log.record.write if log else None, shadow.tell)
    versions = Versions(champion, challenger, beside.canary)
    together, live = Together(api, versions, watch), Live(api, state, versions, watch)

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        """Follow the store and work off what waits, while the application runs."""
        followers = (champion, challenger)
        works = [live.run(), *(follower.follow(follow_seconds) for follower in followers)]
        if log:
            works.append(log.outbox.run())
        tasks = [asyncio.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        shadow.close()

    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=api.name,
        lifespan=working,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
    )
    app.state.champion, app.state.shadow = champion, shadow
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(StateUnusable, unusable)
    app.add_exception_handler(LogUnusable, unusable)
    app.router.route_class = Direct
    services = Services(api, champion, together, live, challenger, log)
    for add in (add_predict, add_memory, add_status, add_mlflow, add_kserve):
        add(app, services)
    add_vertex(app, services, *beside.routes)
    return app


def serve(api: AnyApi, host: str, port: int, quiet: bool = False) -> None:
    """Serve until interrupted; an empty host or a negative port is taken from the settings.

    Raises:
        UserError: nobody may listen there, the state cannot be opened, or a setting is wrong.
    """
    settings, root = read(), Path.cwd()
    state = State(settings.state(root), api.memory)
    routes = (settings.aip_predict_route, settings.aip_health_route)
    beside = Beside(open_log(settings, root), settings.serve_canary, routes)
    follow_seconds = settings.serve_follow_seconds
    app = create_app(api, Store(settings.store(root)), state, follow_seconds, beside)
    with _listen(host or settings.host, settings.port if port < 0 else port) as opened:
        if not quiet:
            _greet(app.state.champion, opened)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[opened])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
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
