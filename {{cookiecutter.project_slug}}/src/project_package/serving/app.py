"""The server: one champion and the Api of the use case; nothing of the training side is imported.

A request that brings its past is answered in the event loop: a row takes tens of microseconds, less
than a thread would cost. What the state must know goes through `Live`, many requests at a time.
"""

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from ..errors import UserError
from ..settings import read
from ..state import State
from ..store import CHAMPION, Store
from .batch import Watch
from .direct import Direct
from .follower import AnyApi, Follower
from .live import Live
from .problems import answer_problems
from .routes import Services, add_memory, add_predict, add_status
from .together import Together
from .versions import Versions

OBJECTS_A_COLLECTION = 20_000
"""That a body of a thousand instances makes some thousands of is no reason to collect."""


def create_app(api: AnyApi, store: Store, state: State, follow_seconds: float = 2) -> FastAPI:
    """Build the application; it looks for another champion every `follow_seconds`."""
    champion, watch = Follower(api, store, CHAMPION), Watch()
    versions = Versions(champion)
    together, live = Together(api, versions, watch), Live(api, state, versions, watch)

    @asynccontextmanager
    async def working(_: FastAPI) -> AsyncIterator[None]:
        """Follow the store and work off what waits, while the application runs."""
        tasks = [
            asyncio.create_task(work) for work in (champion.follow(follow_seconds), live.run())
        ]
        yield
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
    answer_problems(app)
    app.router.route_class = Direct
    services = Services(api, champion, together, live)
    for add in (add_predict, add_memory, add_status):
        add(app, services)
    return app


def serve(api: AnyApi, host: str, port: int, quiet: bool = False) -> None:
    """Serve until interrupted; an empty host or a negative port is taken from the settings.

    Raises:
        UserError: nobody may listen there, the state cannot be opened, or a setting is wrong.
    """
    settings, root = read(), Path.cwd()
    state = State(settings.state(root), api.memory)
    app = create_app(api, Store(settings.store(root)), state, settings.serve_follow_seconds)
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not look at it with every 700 objects
    gc.set_threshold(OBJECTS_A_COLLECTION)
    with _listen(host or settings.serve_host, settings.serve_port if port < 0 else port) as opened:
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
