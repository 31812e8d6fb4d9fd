"""The routes under /v1, /metrics, and the health routes, with their bodies and answers.

Endpoints take the `Request` and read the body themselves, which halves the time of a small request.
`openapi_extra` describes the body, as FastAPI's documentation shows. A list is validated up to its
first invalid item: to collect the errors of all items took 9 s and 5.8 GB for a body of 5.4 MB.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import FastAPI, Request, Response, Security
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from ..contract.task import Scope, Served, Task
from ..frozen import Frozen
from .auth import SCHEMES, require
from .model_loader import ModelLoader
from .predicted_batch import Prediction
from .prediction_service import Predict
from .prometheus import Metrics
from .read_body import JSON, read_body

MAX_INSTANCES = 1_000
T = TypeVar("T", bound=BaseModel)
InstanceList = Annotated[list[T], Field(min_length=1, max_length=MAX_INSTANCES, fail_fast=True)]
TAGS: dict[Scope, str] = {"predict": "predictions", "labels": "events", "admin": "model"}
HEALTH = "health"
HEALTH_PATHS = ("/healthz", "/readyz")
PLATFORM_HEALTH = ("/ping", "/health", "/version")
INTRODUCTION = """**POST /v1/predict** takes a list of instances. One instance: *{instance}*

Open the route, choose *Try it out* and *Execute*. Where API keys are on, choose *Authorize* first.
Clients of serving platforms, such as MLflow, can use their own routes.
"""


class Instances(Frozen, Generic[T]):
    """What to predict."""

    instances: InstanceList[T]


class Predictions(BaseModel, Generic[T]):
    """One prediction per instance, in their order."""

    model_version: str
    predictions: list[T]
    prediction_ids: list[str] = Field(description="for labels that become known later")
    versions: list[str] | None = Field(
        default=None, description="of each prediction, when the challenger made some of them"
    )


class ModelDescription(BaseModel):
    """The version that is served; the model card is Markdown."""

    model_version: str
    manifest: dict[str, Any]
    card: str


class Ready(BaseModel):
    """The version that is served, and the parts that do not work; the log says why."""

    status: Literal["ready"] = "ready"
    model_version: str
    degraded: list[str]


class Refusal(BaseModel):
    """Why a request is refused."""

    detail: str


class Invalid(BaseModel):
    """Why a body is refused: locations (`loc`), and the rules that they break (`msg`, `type`)."""

    detail: list[dict[str, Any]]


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "No API key, or an unknown one"},
    403: {"model": Refusal, "description": "The key lacks the scope"},
    503: {"model": Refusal, "description": "Too many requests, or a service is unavailable"},
}
BODY_REFUSALS: dict[int | str, dict[str, Any]] = {
    408: {"model": Refusal, "description": "The body took too long to arrive"},
    413: {"model": Refusal, "description": "The body is too large"},
    415: {"model": Refusal, "description": "The body has a Content-Encoding"},
    422: {"model": Invalid, "description": "The body breaks a rule"},
}
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"model": Refusal, "description": "Another process is answering an event of the body"},
}
"""A refusal of POST /v1/predict where requests are events."""


def protected(
    scope: Scope,
    body_type: type[BaseModel] | None = None,
    examples: Sequence[Mapping[str, Any]] = (),
    media_types: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the arguments of a route that needs a key with a scope, and may read a body."""
    operation: dict[str, Any] = {}
    if body_type is not None:
        schema = body_type.model_json_schema(ref_template="#/components/schemas/{model}")
        shown = {
            f"example {number}": {"value": {"instances": [example["request"]]}}
            for number, example in enumerate(examples, 1)
        }
        content = {JSON: {"schema": schema, **({"examples": shown} if shown else {})}}
        for other in media_types:
            content[other] = {"schema": {"type": "string", "contentMediaType": other}}
        operation["requestBody"] = {"required": True, "content": content}
    return {
        "tags": [TAGS[scope]],
        "dependencies": [Security(require(scope))],
        "responses": REFUSALS if body_type is None else {**REFUSALS, **BODY_REFUSALS},
        "openapi_extra": operation,
    }


def add_predict(
    app: FastAPI,
    task: Task,
    predict: Predict,
    examples: Sequence[Mapping[str, Any]],
    refusals: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add POST /v1/predict; the API documentation shows the requests of `examples`.

    `refusals` are those beside the ones of every route that reads a body.
    """
    body_type = Instances[task.request]  # type: ignore[name-defined]
    answer_type = Predictions[task.response]  # type: ignore[name-defined]
    described = protected("predict", body_type, examples, task.media_types)
    described["responses"] |= refusals

    @app.post("/v1/predict", summary="Predict", response_model=answer_type, **described)
    async def predict_instances(request: Request) -> Response:
        """Predict instances; the answers are in their order."""
        async with read_body(request, body_type, task.media_types) as body:
            return predictions_response(await predict(body.instances))


def add_admin(app: FastAPI, champion: ModelLoader, metrics: Metrics) -> None:
    """Add GET /v1/model and GET /metrics."""

    @app.get("/v1/model", summary="Describe the model", **protected("admin"))
    async def model() -> ModelDescription:
        """Return the manifest and the model card of the champion."""
        served = champion.current()
        manifest = served.bundle.manifest.model_dump(mode="json")
        return ModelDescription(model_version=served.version, manifest=manifest, card=served.card)

    @app.get("/metrics", summary="Metrics", response_class=PlainTextResponse, **protected("admin"))
    async def page() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)


def add_health(app: FastAPI, ready: Callable[[], Ready]) -> None:
    """Add GET and HEAD /healthz and /readyz, which need no key and name no address."""

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Liveness", tags=[HEALTH])
    async def healthz() -> dict[str, str]:
        """Report that the process runs."""
        return {"status": "alive"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", summary="Readiness", tags=[HEALTH])
    async def readyz() -> Ready:
        """Report the version that is served, and every part that does not work."""
        return ready()


def add_task_routes(app: FastAPI, task: Task, served: Callable[[], Served]) -> None:
    """Add the routes that only this task offers; they call `served` for the version to use."""
    for scope, make_router in task.routers.items():
        required = [Security(require(scope))]
        router = make_router(served)
        documented = {**REFUSALS, **BODY_REFUSALS}
        app.include_router(router, tags=[TAGS[scope]], dependencies=required, responses=documented)


def predictions_response(predictions: Sequence[Prediction]) -> Response:
    """Return `Predictions`, put together from the responses, which are JSON already."""
    version = predictions[0].version
    responses = ",".join([prediction.response for prediction in predictions])
    ids = json.dumps([prediction.id for prediction in predictions])
    content = f'{{"model_version":"{version}","predictions":[{responses}],"prediction_ids":{ids}'
    if any(prediction.version != version for prediction in predictions):
        content += f',"versions":{json.dumps([prediction.version for prediction in predictions])}'
    return Response(content + "}", media_type=JSON)


def document(app: FastAPI, task: Task) -> None:
    """Introduce the API, and complete its OpenAPI document as FastAPI's docs show."""
    app.description = INTRODUCTION.format(instance=task.request.__doc__ or task.request.__name__)

    generate = app.openapi

    def openapi() -> dict[str, Any]:
        described = generate()  # the same object each time
        if app.state.keys:
            described["components"]["securitySchemes"] = SCHEMES
        for operations in described["paths"].values():
            for operation in operations.values():
                if app.state.keys and operation["tags"] != [HEALTH]:
                    operation["security"] = [{name: []} for name in SCHEMES]
                for content in operation.get("requestBody", {"content": {}})["content"].values():
                    described["components"]["schemas"] |= content["schema"].pop("$defs", {})
        return described

    app.openapi = openapi  # type: ignore[method-assign]
