"""The formats of serving platforms, as routes to the same answers.

MLflow, SageMaker  POST /invocations, GET /ping, /health and /version
KServe V1          POST /v1/models/<name>:predict, GET /v1/models/<name> and /v1/models
Vertex AI          the routes that AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE name

`<name>` is the name of the registered model. SageMaker starts a container as `docker run <image>
serve` and uses port 8080: an image whose entry point is `ml` needs SERVE_HOST=0.0.0.0 and
SERVE_PORT=8080. All take the same body; refusals are those of /v1/predict.
"""

from typing import Annotated, Any, Self

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

from ..contract.task import Task
from ..frozen import Frozen
from .model_loader import ModelLoader
from .prediction_service import Predict
from .read_body import invalid, list_errors, read_body, validate
from .routes import MAX_INSTANCES, InstanceList, predictions_response, protected

MLFLOW_HEALTH = ("/ping", "/health", "/version")
FORMATS = ("instances", "inputs", "dataframe_records", "dataframe_split")


class Split(Frozen):
    """Rows as pandas splits them: the column names once, then the values of each row."""

    columns: list[str]
    data: Annotated[list[list[Any]], Field(max_length=MAX_INSTANCES, fail_fast=True)]
    index: list[Any] | None = None


class PlatformBody(Frozen):
    """Instances in one of the formats that MLflow, KServe and Vertex AI send."""

    instances: list[Any] | None = None
    inputs: list[Any] | dict[str, list[Any]] | None = None
    """Instances, or the values of each column."""
    dataframe_records: Annotated[list[dict[str, Any]], Field(fail_fast=True)] | None = None
    dataframe_split: Split | None = None
    params: dict[str, Any] | None = None
    """Of MLflow; no task has parameters, so they are not used."""
    parameters: Any = None
    """Of Vertex AI and KServe; not used either."""

    @model_validator(mode="after")
    def _check_formats(self) -> Self:
        if sum(getattr(self, name) is not None for name in FORMATS) != 1:
            raise ValueError(f"must have exactly one of {', '.join(FORMATS)}")
        return self


def read_instances(body: PlatformBody, adapter: TypeAdapter[list[BaseModel]]) -> list[BaseModel]:
    """Return the instances of a body.

    Raises:
        RequestValidationError: an instance breaks a rule, or rows have different lengths.
    """
    (name,) = (name for name in FORMATS if getattr(body, name) is not None)
    content = getattr(body, name)
    try:
        if isinstance(content, Split):
            if len(set(content.columns)) < len(content.columns):
                raise invalid("must have different column names", "body", name)
            content = [dict(zip(content.columns, row, strict=True)) for row in content.data]
        elif isinstance(content, dict):
            rows = zip(*content.values(), strict=True)
            content = [dict(zip(content, row, strict=True)) for row in rows]
        if name.startswith("dataframe"):  # NaN, which does not equal itself, is a missing value
            content = [{k: v for k, v in row.items() if v == v} for row in content]  # noqa: PLR0124
        return adapter.validate_json(to_json(content), strict=True)
    except ValidationError as error:
        raise RequestValidationError(list_errors(error, name)) from None
    except ValueError:
        raise invalid("must have a value of each column in every row", "body", name) from None


async def _ping(request: Request) -> Response:
    version = request.app.state.champion.current().version
    return Response(version if request.url.path == "/version" else "\n")


def add_platforms(app: FastAPI, task: Task, predict: Predict, champion: ModelLoader) -> None:
    """Add the routes of all platforms, without documentation; those of health need no key."""
    adapter = TypeAdapter[list[BaseModel]](InstanceList[task.request])  # type: ignore[name-defined]
    options = {**protected("predict"), "include_in_schema": False}

    async def predict_instances(request: Request) -> Response:
        async with read_body(request, PlatformBody) as body:
            instances = await validate(request, read_instances, body, adapter)
            return predictions_response(await predict(instances))

    for path in filter(None, ("/invocations", app.state.settings.aip_predict_route)):
        app.add_api_route(path, predict_instances, methods=["POST"], **options)

    @app.post("/v1/models/{name}:predict", **options)
    async def predict_by_name(name: str, request: Request) -> Response:
        await ready(name)
        return await predict_instances(request)

    @app.get("/v1/models/{name}", **options)
    async def ready(name: str) -> dict[str, str | bool]:
        served = champion.current().bundle.manifest.name
        if name != served:
            raise HTTPException(404, f"There is no model of this name; there is {served}.")
        return {"name": name, "ready": True}

    @app.get("/v1/models", **options)
    async def models() -> dict[str, list[str]]:
        return {"models": [champion.current().bundle.manifest.name]}

    for path in filter(None, (*MLFLOW_HEALTH, app.state.settings.aip_health_route)):
        app.add_api_route(path, _ping, methods=["GET", "HEAD"], include_in_schema=False)
