"""The routes under /v1, /metrics, and the health routes.

Endpoints take the `Request` and read the body themselves, which halves the time of a small request.
`openapi_extra` describes the body, as FastAPI's documentation shows.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response, Security
from fastapi.responses import PlainTextResponse, RedirectResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from ..api_keys import Scope
from ..contract import History, Task
from . import schemas
from .auth import SCHEMES, require
from .body import JSON, read_body
from .metrics import Metrics
from .model_loader import ModelLoader
from .prediction_service import EventService, PredictionService
from .predictions import Answer

TAGS: dict[Scope, str] = {"predict": "predictions", "labels": "events", "admin": "model"}
HEALTH_PATHS = ("/healthz", "/readyz")
INTRODUCTION = """**POST /v1/predict** takes a list of instances. One instance: *{instance}*

Open the route, choose *Try it out* and *Execute*. Where API keys are on, choose *Authorize* first.
Clients of MLflow, KServe, SageMaker and Vertex AI can use their own routes.
"""


def protected(
    scope: Scope,
    body_type: type[BaseModel] | None = None,
    examples: Sequence[Mapping[str, Any]] = (),
    media_types: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the arguments of a route that needs a key with a scope, and may read a body."""
    operation: dict[str, Any] = {"security": [{name: []} for name in SCHEMES]}
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
        "responses": schemas.REFUSALS | ({} if body_type is None else schemas.BODY_REFUSALS),
        "openapi_extra": operation,
    }


def add_predict(
    app: FastAPI, task: Task, service: PredictionService, examples: Sequence[Mapping[str, Any]]
) -> None:
    """Add POST /v1/predict; the API documentation shows the requests of `examples`."""
    body_type = schemas.Instances[task.request]  # type: ignore[name-defined]
    answer_type = schemas.Predictions[task.response]  # type: ignore[name-defined]
    described = protected("predict", body_type, examples, task.media_types)

    @app.post("/v1/predict", summary="Predict", response_model=answer_type, **described)
    async def predict(request: Request) -> Response:
        """Predict instances; the answers are in their order."""
        body = await read_body(request, body_type, task.media_types)
        return predictions_response(await service.predict(body.instances))


def add_events(app: FastAPI, history: History, service: EventService) -> None:
    """Add POST /v1/events, and POST /v1/labels where there are labels."""
    events_type = schemas.Events[history.event]  # type: ignore[name-defined]

    @app.post("/v1/events", summary="Store events", **protected("labels", events_type))
    async def events(request: Request) -> schemas.EventsStored:
        """Store events; one whose key is stored already changes nothing."""
        body = await read_body(request, events_type)
        added = await service.events.submit(body.events, len(body.events))
        return schemas.EventsStored(new=sum(added), known=len(added) - sum(added))

    if history.label is None:
        return
    labels_type = schemas.Labels[history.label]  # type: ignore[name-defined]

    @app.post("/v1/labels", summary="Set labels", **protected("labels", labels_type))
    async def labels(request: Request) -> schemas.LabelsSet:
        """Set the labels of stored events."""
        body = await read_body(request, labels_type)
        found = await service.labels.submit(body.labels, len(body.labels))
        unknown = [index for index, is_known in enumerate(found) if not is_known]
        return schemas.LabelsSet(set=len(found) - len(unknown), unknown=unknown)


def add_admin(app: FastAPI, champion: ModelLoader, metrics: Metrics) -> None:
    """Add GET /v1/model and GET /metrics."""

    @app.get("/v1/model", summary="Describe the model", **protected("admin"))
    async def model() -> schemas.ModelDescription:
        """Return the manifest and the model card of the champion."""
        served = champion.current()
        manifest = served.bundle.manifest.model_dump(mode="json")
        return schemas.ModelDescription(
            model_version=served.version, manifest=manifest, card=served.card
        )

    @app.get("/metrics", summary="Metrics", response_class=PlainTextResponse, **protected("admin"))
    async def page() -> Response:
        """Return the metrics in Prometheus' text format."""
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)


def add_health(app: FastAPI, ready: Callable[[], schemas.Ready]) -> None:
    """Add GET and HEAD /healthz and /readyz, which need no key and name no address."""

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", summary="Liveness", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Report that the process runs."""
        return {"status": "alive"}

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", summary="Readiness", tags=["health"])
    async def readyz() -> schemas.Ready:
        """Report the version that is served, and every part that does not work."""
        return ready()


def predictions_response(answers: Sequence[Answer]) -> Response:
    """Return `Predictions`, put together from the responses, which are JSON already."""
    version, responses = answers[0].version, ",".join([answer.response for answer in answers])
    content = f'{{"model_version":"{version}","predictions":[{responses}]'
    if any(answer.version != version for answer in answers):
        content += f',"versions":{json.dumps([answer.version for answer in answers])}'
    return Response(content + "}", media_type=JSON)


def document(app: FastAPI, task: Task) -> None:
    """Introduce the API, complete its OpenAPI document as FastAPI's docs show, and open it at /."""
    app.description = INTRODUCTION.format(instance=task.request.__doc__ or task.request.__name__)

    @app.get("/", include_in_schema=False)
    async def home() -> RedirectResponse:
        return RedirectResponse("docs")

    generate = app.openapi

    def openapi() -> dict[str, Any]:
        found = generate()  # the same object each time
        found["components"]["securitySchemes"] = SCHEMES
        for operations in found["paths"].values():
            for operation in operations.values():
                body = operation.get("requestBody", {"content": {}})
                for content in body["content"].values():
                    found["components"]["schemas"] |= content["schema"].pop("$defs", {})
        return found

    app.openapi = openapi  # type: ignore[method-assign]
