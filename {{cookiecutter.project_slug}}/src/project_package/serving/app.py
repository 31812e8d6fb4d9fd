"""The server: one champion and the Api of the use case; nothing of the training side is imported.

ONNX runs in the event loop: a row takes tens of microseconds, less than a thread would cost.
"""

import json
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Generic

import uvicorn
from fastapi import Body, FastAPI, HTTPException
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, ConfigDict, Field

from ..bundle import EXAMPLES
from ..contract import Api, Request, Response
from ..errors import UserError
from ..predictor import Predictor
from ..settings import read
from ..store import CHAMPION, EVIDENCE, Store

MAX_INSTANCES = 1000

AnyApi = Api[Any, Any, Any]


class Instances(BaseModel, Generic[Request]):
    """The body of a prediction: the rows to answer."""

    model_config = ConfigDict(extra="forbid")

    instances: Annotated[list[Request], Field(min_length=1, max_length=MAX_INSTANCES)]


class Predictions(BaseModel, Generic[Response]):
    """The answer: one prediction per instance, all by one version of the model."""

    model_version: str
    predictions: list[Response]


class Champion:
    """The champion of a store, loaded; `reason` says why there is none."""

    def __init__(self, api: AnyApi, store: Store) -> None:
        self.predictor: Predictor[Any, Any, Any] | None = None
        self.version, self.card, self.reason = "", "", ""
        try:
            self._load(api, store)
        except UserError as error:
            self.reason = str(error)

    def _load(self, api: AnyApi, store: Store) -> None:
        version, bundle = store.load(CHAMPION)
        self.card = store.fetch(version, EVIDENCE)["card.md"].decode()
        self.predictor, self.version = Predictor(bundle, api), str(version)

    def ready(self) -> Predictor[Any, Any, Any]:
        """Give the predictor, or answer 503 with the reason."""
        if self.predictor is None:
            raise HTTPException(503, self.reason)
        return self.predictor

    def examples(self) -> dict[str, Any]:
        """Give the bundle's examples as bodies for the OpenAPI document."""
        if self.predictor is None:
            return {}
        pairs = json.loads(self.predictor.bundle.assets[EXAMPLES])
        return {
            f"example {number}": {"value": {"instances": [pair["request"]]}}
            for number, pair in enumerate(pairs, 1)
        }


async def invalid(_: HttpRequest, error: Exception) -> JSONResponse:
    """Answer 422 with field and rule of each mistake; what was sent is not echoed."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for this only
    found = [{key: e[key] for key in ("loc", "msg", "type")} for e in error.errors()]
    return JSONResponse({"detail": found}, status_code=422)


def create_app(api: AnyApi, store: Store) -> FastAPI:
    """Build the application for the champion of a store."""
    champion = Champion(api, store)
    app = FastAPIOffline(  # /docs loads nothing from other hosts
        title=api.name,
        version=champion.version or "none",
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},
    )
    app.state.champion = champion
    app.add_exception_handler(RequestValidationError, invalid)

    async def predict(body: Any) -> Any:
        """Answer rows: a refused row is a 422 that names its field and rule."""
        answers = champion.ready().answer(body.instances)
        return {"model_version": champion.version, "predictions": answers}

    # The types are the use case's own, known only now.
    predict.__annotations__["body"] = Annotated[
        Instances[api.request],  # type: ignore[name-defined]
        Body(openapi_examples=champion.examples()),
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
    async def readyz() -> dict[str, str]:
        """Say that a champion is loaded, or answer 503 with the reason."""
        champion.ready()
        return {"status": "ready", "model_version": champion.version}

    @app.get("/v1/model")
    async def model() -> dict[str, Any]:
        """Give the manifest and the model card of the champion."""
        manifest = champion.ready().bundle.manifest.model_dump(mode="json")
        return {"model_version": champion.version, "manifest": manifest, "card": champion.card}


def serve(api: AnyApi, host: str, port: int, quiet: bool = False) -> None:
    """Serve until interrupted; an empty host or a negative port is taken from the settings.

    Raises:
        UserError: nobody may listen there, or a setting is wrong.
    """
    settings = read()
    app = create_app(api, Store(settings.store(Path.cwd())))
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


def _greet(champion: Champion, opened: socket.socket) -> None:
    host, port = opened.getsockname()[:2]
    where = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    what = f"Version {champion.version}" if champion.version else f"Nothing ({champion.reason})"
    sys.stdout.write(f"{what} is served on {where}; try requests on {where}/docs.\n")
    sys.stdout.flush()
