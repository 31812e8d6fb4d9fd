"""The server: a FastAPI application around the champion.

Nothing of the training side is imported.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline

from ..bundle import Bundle
from ..contract.task import Task
from ..errors import ModelError, Unavailable
from ..settings import Settings, read_settings
from . import routes
from .labels import add_labels
from .middleware import RETRY, add_middleware
from .page import add_page
from .platforms import add_platforms
from .read_body import Bodies
from .services import OpenEvents, Services

log = logging.getLogger(__name__)


def create_app(
    make_task: Callable[[Bundle], Task],
    settings: Settings | None = None,
    root: Path | None = None,
    open_events: OpenEvents | None = None,
) -> FastAPI:
    """Build the application.

    Args:
        make_task: Builds the task of a bundle.
        settings: Those of the environment unless given.
        root: The project's folder, the working folder unless given.
        open_events: Opens the event store, for a task whose features read earlier events.

    Raises:
        UserError: no champion can be loaded, or event store, prediction log or keys be opened.
    """
    settings = settings or read_settings(Settings)
    services = Services(make_task, settings, root or Path.cwd(), open_events)
    task = services.task
    champion = services.champion
    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=champion.current().bundle.manifest.name,
        version="v1",
        lifespan=services.run,
        redirect_slashes=False,  # a redirect would name the host that the client sent
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
        # An exported log has messages of errors; a query may have a key by mistake.
        telemetry={
            "exclude": lambda scope: scope["method"] != "POST" or bool(scope["query_string"]),
            "logs": False,
            "operation_spans": False,
        },
    )
    app.state.settings = settings
    app.state.metrics = services.metrics
    app.state.champion = champion
    app.state.keys = services.keys
    thread = ThreadPoolExecutor(1, "model-bodies") if task.slow_requests else None
    app.state.bodies = Bodies(settings, task.max_body_mb, thread)

    _add_routes(app, services)
    for kind in (Unavailable, ModelError):
        app.add_exception_handler(kind, error_response)
    exempt = {*routes.HEALTH_PATHS, *routes.PLATFORM_HEALTH, "/metrics"}
    add_middleware(app, settings, services.metrics, exempt)
    return app


def _add_routes(app: FastAPI, services: Services) -> None:
    task = services.task
    # Examples are rows of the data: the page, which needs no key, shows none where keys are on.
    examples = () if services.keys else services.champion.current().examples
    conflicts = routes.CONFLICT if services.events else {}
    routes.add_predict(app, task, services.predict, examples, conflicts)
    if services.events:
        services.events.add_routes(app, services.labels)
    if services.labels and task.label:
        add_labels(app, task, services.labels)
    routes.add_admin(app, services.champion, services.metrics)
    add_platforms(app, task, services.predict, services.champion)
    routes.add_health(app, services.ready)
    routes.add_task_routes(app, task, services.served)
    add_page(app, services.page)
    routes.document(app, task)


async def error_response(_: Request, error: Exception) -> JSONResponse:
    """Answer 503 while a service is unavailable, and 500 when the model fails on a request."""
    if isinstance(error, Unavailable):
        return JSONResponse({"detail": str(error)}, 503, RETRY)
    log.error("the model cannot answer a request", extra={"reason": str(error)})
    return JSONResponse({"detail": "The model cannot answer this request."}, 500)
