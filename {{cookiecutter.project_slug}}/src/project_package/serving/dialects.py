"""Formats that platforms speak, as thin routes on the same answers.

MLflow, SageMaker  POST /invocations, GET /ping
KServe V1          POST /v1/models/<name>:predict, GET /v1/models/<name>, GET /v1/models
Vertex AI          the routes that AIP_PREDICT_ROUTE and AIP_HEALTH_ROUTE name

`<name>` is the model's in the registry. SageMaker starts a container as `docker run <image> serve`
and asks port 8080: an image whose entry point is `ml` needs only SERVE_HOST=0.0.0.0 and
SERVE_PORT=8080. Mistakes are told as at /v1/predict.
"""

from typing import Any, Generic

from fastapi import FastAPI, HTTPException, Response
from pydantic import model_validator

from ..contract import Request
from .routes import Instances, Services, written

NAMES = ("inputs", "instances", "dataframe_records", "dataframe_split")


class Invocations(Instances[Request], Generic[Request]):
    """The body of MLflow's scoring protocol: rows under one of its four names."""

    @model_validator(mode="before")
    @classmethod
    def _as_instances(cls, body: Any) -> Any:
        if not isinstance(body, dict) or len(body) != 1 or not body.keys() <= {*NAMES}:
            raise ValueError(f"must have one of {', '.join(NAMES)}, and nothing else")
        ((name, rows),) = body.items()
        return {"instances": _records(rows) if name == "dataframe_split" else rows}


def _records(split: Any) -> list[dict[str, Any]]:
    try:
        return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            "dataframe_split must have columns, and data with a value of each in every row"
        ) from None


def add_mlflow(app: FastAPI, services: Services) -> None:
    """Add the routes of MLflow and SageMaker."""

    async def invocations(body: Any) -> Response:
        """Answer rows."""
        return written(await services.answer(body.instances))

    async def ping() -> Response:
        """Say that a champion is loaded, or answer 503."""
        services.ready()
        return Response()

    invocations.__annotations__["body"] = Invocations[services.api.request]  # type: ignore[name-defined]
    app.post("/invocations", include_in_schema=False)(invocations)
    app.get("/ping", include_in_schema=False)(ping)


def add_kserve(app: FastAPI, services: Services) -> None:
    """Add the routes of KServe."""

    def named() -> str:
        return services.ready().predictor.bundle.manifest.name

    def must_be(name: str) -> None:
        if name != named():
            raise HTTPException(404, f"There is no model {name}; there is {named()}.")

    async def predict(body: Any, name: str) -> Response:
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
    app.post("/v1/models/{name}:predict", include_in_schema=False)(predict)
    app.get("/v1/models/{name}", include_in_schema=False)(model)
    app.get("/v1/models", include_in_schema=False)(models)


def add_vertex(app: FastAPI, services: Services, predict_route: str, health_route: str) -> None:
    """Add the routes of Vertex AI where it names them."""

    async def predict(body: Any) -> Response:
        """Answer instances."""
        return written(await services.answer(body.instances))

    async def health() -> Response:
        """Say that a champion is loaded, or answer 503."""
        services.ready()
        return Response()

    predict.__annotations__["body"] = Instances[services.api.request]  # type: ignore[name-defined]
    if predict_route:
        app.post(predict_route, include_in_schema=False)(predict)
    if health_route:
        app.get(health_route, include_in_schema=False)(health)
