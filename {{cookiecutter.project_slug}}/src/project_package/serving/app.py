"""The server: one champion and the Api of the use case; nothing of the training side is imported.

ONNX runs in the event loop: a row takes tens of microseconds, less than a thread would cost.
"""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, Generic, Literal

import uvicorn
from fastapi import Body, FastAPI, HTTPException
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict, Field

from ..contract import Request, Response
from ..errors import UserError
from ..settings import read
from ..store import CHAMPION, Store
from .follower import AnyApi, Follower, Served

MAX_INSTANCES = 1000


class Instances(BaseModel, Generic[Request]):
    """The body of a prediction: the rows to answer."""

    model_config = ConfigDict(extra="forbid")

    instances: Annotated[list[Request], Field(min_length=1, max_length=MAX_INSTANCES)]


class Predictions(BaseModel, Generic[Response]):
    """The answer: one prediction per instance, all by one version of the model."""

    model_version: str
    predictions: list[Response]


class Ready(BaseModel):
    """Who answers; and, when that is not the newest champion, why."""

    status: Literal["ready"] = "ready"
    model_version: str
    refused: str = ""
    """Why the newest version is not served."""
    unreachable: str = ""
    """Why nobody knows which the newest version is."""


class Model(BaseModel):
    """What is served: its manifest and its model card."""

    model_version: str
    manifest: dict[str, Any]
    card: str


def ready(champion: Follower) -> Served:
    """Give the version that answers, or answer 503 with the reason."""
    if champion.served is None:
        raise HTTPException(503, champion.refused or champion.unreachable)
    return champion.served


def bodies(champion: Follower) -> dict[str, Any]:
    """Give the golden examples as bodies for the OpenAPI document."""
    pairs = champion.served.examples if champion.served else []
    return {
        f"example {number}": {"value": {"instances": [pair["request"]]}}
        for number, pair in enumerate(pairs, 1)
    }


async def invalid(_: HttpRequest, error: Exception) -> JSONResponse:
    """Answer 422 with field and rule of each mistake; what was sent is not echoed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this only
    found = [{key: e[key] for key in ("loc", "msg", "type")} for e in error.errors()]
    return JSONResponse({"detail": found}, status_code=422)


def create_app(api: AnyApi, store: Store, follow_seconds: float = 2) -> FastAPI:
    """Build the application; it looks for another champion every `follow_seconds`."""
    champion = Follower(api, store, CHAMPION)

    @asynccontextmanager
    async def following(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(champion.follow(follow_seconds))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=api.name,
        lifespan=following,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
    )
    app.state.champion = champion
    app.add_exception_handler(RequestValidationError, invalid)

    async def predict(body: Any) -> Any:
        """Answer rows: a refused row is a 422 that names its field and rule."""
        served = ready(champion)
        answers = served.predictor.answer(body.instances)
        return {"model_version": served.version, "predictions": answers}

    # The types are the use case's own, known only now.
    predict.__annotations__["body"] = Annotated[
        Instances[api.request],  # type: ignore[name-defined]
        Body(openapi_examples=bodies(champion)),
    ]
    app.post("/v1/predict", response_model=Predictions[api.response])(predict)  # type: ignore[name-defined]

    _add_status(app, champion)
    return app


def _add_status(app: FastAPI, champion: Champion) -> None:
    """Add the routes that say how the server is."""

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> Ready:
        """Say that a champion is loaded, or answer 503 with the reason."""
        version = ready(champion).version
        refused, unreachable = champion.refused, champion.unreachable
        return Ready(model_version=version, refused=refused, unreachable=unreachable)

    @app.get("/v1/model")
    async def model() -> Model:
        """Give the manifest and the model card of the champion."""
        served = ready(champion)
        manifest = served.predictor.bundle.manifest.model_dump(mode="json")
        return Model(model_version=served.version, manifest=manifest, card=served.card)


def serve(api: AnyApi, host: str, port: int, quiet: bool = False) -> None:
    """Serve until interrupted; an empty host or a negative port is taken from the settings.

    Raises:
        UserError: nobody may listen there, or a setting is wrong.
    """
    settings = read()
    app = create_app(api, Store(settings.store(Path.cwd())), settings.serve_follow_seconds)
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
