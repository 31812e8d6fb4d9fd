"""KServe V1: POST /v1/models/<name>:predict, GET /v1/models/<name> and /v1/models.

`<name>` is the name of the registered model.
"""

from fastapi import FastAPI, HTTPException, Request, Response

from ..model_loader import ModelLoader
from ..platform_formats import Endpoint
from ..routes import protected


def add_routes(app: FastAPI, endpoint: Endpoint, champion: ModelLoader) -> None:
    """Add the routes; another name than that of the model is not found."""
    options = {**protected("predict"), "include_in_schema": False}

    @app.post("/v1/models/{name}:predict", **options)
    async def predict(name: str, request: Request) -> Response:
        await ready(name)
        return await endpoint(request)

    @app.get("/v1/models/{name}", **options)
    async def ready(name: str) -> dict[str, str | bool]:
        served = champion.current().bundle.manifest.name
        if name != served:
            raise HTTPException(404, f"There is no model of this name; there is {served}.")
        return {"name": name, "ready": True}

    @app.get("/v1/models", **options)
    async def models() -> dict[str, list[str]]:
        return {"models": [champion.current().bundle.manifest.name]}
