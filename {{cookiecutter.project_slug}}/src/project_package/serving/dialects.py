"""Formats that platforms speak, as thin routes on the same answers.

MLflow, SageMaker  POST /invocations, GET /ping
KServe V1          POST /v1/models/<name>:predict, GET /v1/models/<name>, GET /v1/models
Vertex AI          the routes that AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE name

`<name>` is the model's in the registry. SageMaker starts a container as `docker run <image> serve`
and asks port 8080: an image whose entry point is `ml` needs only SERVE_HOST=0.0.0.0 and
SERVE_PORT=8080. Mistakes are told as at /v1/predict.
"""

from typing import Annotated, Any, Generic, Self

from fastapi import FastAPI, HTTPException, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import to_json

from ..contract import Request
from .direct import mistake, mistakes
from .routes import MAX_INSTANCES, Instances, Strict, post, written
from .services import Services

Rows = Annotated[list[Request], Field(min_length=1, max_length=MAX_INSTANCES)]


class Split(BaseModel):
    """Rows as pandas splits them: the names once, then the values of each row."""

    columns: list[str]
    data: Annotated[list[list[Any]], Field(min_length=1, max_length=MAX_INSTANCES)]


class Invocations(Strict, Generic[Request]):
    """The body of MLflow's scoring protocol: rows under one of its four names."""

    inputs: Rows[Request] | None = None
    instances: Rows[Request] | None = None
    dataframe_records: Rows[Request] | None = None
    dataframe_split: Split | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        given = [getattr(self, name) for name in self.model_fields_set]
        if len(given) != 1 or given[0] is None:
            raise ValueError(f"must have one of {', '.join(type(self).model_fields)}, and no more")
        return self


def rows_of(body: Invocations[Any], rows: TypeAdapter[list[Any]]) -> list[Any]:
    """Give the rows of a body.

    Raises:
        RequestValidationError: split ones are none of `rows`.
    """
    (name,) = body.model_fields_set
    found = getattr(body, name)
    if not isinstance(found, Split):
        return list(found)
    try:
        told = [dict(zip(found.columns, row, strict=True)) for row in found.data]
        return rows.validate_json(to_json(told), strict=True)
    except ValidationError as error:
        raise RequestValidationError(mistakes(error, name)) from None
    except ValueError:
        rule = "must have a value of each column in every row"
        raise RequestValidationError([mistake((name,), rule, "value_error")]) from None


def add_mlflow(app: FastAPI, services: Services) -> None:
    """Add the routes of MLflow and SageMaker."""
    rows: TypeAdapter[list[Any]] = TypeAdapter(Rows[services.api.request])  # type: ignore[name-defined]

    async def invocations(body: Any) -> str:
        """Answer rows."""
        return written(await services.answer(rows_of(body, rows)))

    async def ping() -> Response:
        """Say that a champion is loaded, or answer 503."""
        services.ready()
        return Response()

    invocations.__annotations__["body"] = Invocations[services.api.request]  # type: ignore[name-defined]
    post(app, "/invocations", invocations, include_in_schema=False)
    app.get("/ping", include_in_schema=False)(ping)


def add_kserve(app: FastAPI, services: Services) -> None:
    """Add the routes of KServe."""

    def named() -> str:
        return services.ready().predictor.bundle.manifest.name

    def must_be(name: str) -> None:
        if name != named():
            raise HTTPException(404, f"There is no model {name}; there is {named()}.")

    async def predict(body: Any, name: str) -> str:
        """Answer instances."""
        must_be(name)
        return written(await services.answer(body.instances))

    async def model(name: str) -> dict[str, str | bool]:
        """Say that the model is ready, or answer 503."""
        must_be(name)
        return {"name": name, "ready": True}

    async def models() -> dict[str, list[str]]:
        """Name the model."""
        return {"models": [named()]}

    predict.__annotations__["body"] = Instances[services.api.request]  # type: ignore[name-defined]
    post(app, "/v1/models/{name}:predict", predict, include_in_schema=False)
    app.get("/v1/models/{name}", include_in_schema=False)(model)
    app.get("/v1/models", include_in_schema=False)(models)


def add_vertex(app: FastAPI, services: Services, predict_route: str, health_route: str) -> None:
    """Add the routes of Vertex AI where it names them."""

    async def predict(body: Any) -> str:
        """Answer instances."""
        return written(await services.answer(body.instances))

    async def health() -> Response:
        """Say that a champion is loaded, or answer 503."""
        services.ready()
        return Response()

    predict.__annotations__["body"] = Instances[services.api.request]  # type: ignore[name-defined]
    if predict_route:
        post(app, predict_route, predict, include_in_schema=False)
    if health_route:
        app.get(health_route, include_in_schema=False)(health)
