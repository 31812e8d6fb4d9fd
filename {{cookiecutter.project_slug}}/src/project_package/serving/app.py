"""The server: the champion and the Api of a use case; nothing of the training side is imported."""

import gc
import logging
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from math import ceil
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.errors import ServerErrorMiddleware

from .. import keys
from ..errors import UserError
from ..settings import Settings, read
from ..state.base import State
from ..model_store import Store
from . import logs
from .dialects import add_kserve, add_mlflow, add_vertex
from .document import describe
from .door import Door, limits
from .follower import AnyApi, Follower
from .guard import Guard
from .keys import Ring
from .outbox import open_log
from .problems import answer_problems
from .routes import add_memory, add_metrics, add_predict, add_status
from .server import Server
from .services import Options, Services
from .workers import supervise

PLAIN = Options()
OBJECTS_A_COLLECTION = 200_000
"""Some bodies of a thousand instances make tens of thousands: no reason to look for garbage."""
BLOCK_BYTES = 2**23
"""Once glibc saw such a block freed, it keeps as much for the bodies that come."""
BACKLOG = 2048
"""Connections that may wait to be accepted."""
log = logging.getLogger(__name__)


def create_app(api: AnyApi, store: Store, state: State, options: Options = PLAIN) -> FastAPI:
    """Build the application."""
    services = Services(api, store, state, options)
    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=api.name,
        lifespan=services.working,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
    )
    app.state.services = services
    describe(app, keys=services.door.keys is not None)
    answer_problems(app)
    for add in (add_predict, add_memory, add_status, add_metrics, add_mlflow, add_kserve):
        add(app, services)
    add_vertex(app, services, *options.routes)
    stack = app.build_middleware_stack()
    assert isinstance(stack, ServerErrorMiddleware)  # noqa: S101 - Starlette puts it outermost
    app.middleware_stack = Guard(stack.app, services.door, services.metrics, app.routes)
    return app


def serve(api: AnyApi, host: str, port: int, workers: int = 0, quiet: bool = False) -> None:
    """Serve until interrupted; the settings have what is empty, negative or, of workers, 0.

    Raises:
        UserError: nobody may listen there, the state cannot be opened, or a setting is wrong.
    """
    settings, root = read(), Path.cwd()
    logs.start(quiet)
    state, options = State(settings.state(root), api.memory), _options(settings, root)
    app = create_app(api, Store(settings.store(root)), state, options)
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not look at it again and again
    gc.set_threshold(OBJECTS_A_COLLECTION)
    bytes(BLOCK_BYTES)
    count = 1 if settings.worker_board else workers or settings.serve_workers
    opened = _listen(host or settings.host, settings.port if port < 0 else port, count, settings)
    if not quiet and not settings.worker_board:
        _greet(app.state.services.champion, opened[0])
    if count > 1:
        supervise(opened)  # workers begin as this process has
    else:
        _run(app, opened, settings)
    state.close()


def _run(app: FastAPI, opened: list[socket.socket], settings: Settings) -> None:
    config = uvicorn.Config(
        app,
        log_config=None,  # its records go where ours go
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=ceil(settings.serve_answer_seconds),
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which uvicorn asks at the end
    with suppress(KeyboardInterrupt):
        Server(config, app.state.services.door).run(sockets=opened)


def _options(settings: Settings, root: Path) -> Options:
    """Give what the settings say; without keys, with a warning."""
    path = settings.keys(root)
    ring = None if path is None else Ring(path)
    if ring is None and not settings.worker_board:
        log.warning("API keys are off: who reaches this address may ask, feed and read everything")
    if path and not keys.read(path) and not settings.worker_board:
        log.warning("there is no API key: nobody may ask before `ml key NAME --scope predict`")
    return Options(
        follow_seconds=settings.serve_follow_seconds,
        door=Door(ring, limits(settings), settings.aip_health_route),
        log=open_log(settings, root),
        canary=settings.serve_canary,
        routes=(settings.aip_predict_route, settings.aip_health_route),
        board=settings.worker_board,
    )


def _listen(host: str, port: int, count: int, settings: Settings) -> list[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    open_ = partial(socket.create_server, family=family, backlog=BACKLOG)
    try:
        if settings.worker_board:
            return [socket.socket(fileno=settings.worker_socket)]
        with open_((host, port)) as free:  # which fails where others listen, as the next do not
            place = free.getsockname()
        return [open_(place, reuse_port=count > 1) for _ in range(count)]
    except (OSError, OverflowError, ValueError) as error:  # as it has no SO_REUSEPORT
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
