"""MLflow and SageMaker: POST /invocations, GET /ping, /health and /version.

Vertex AI and Azure ML can be configured to use the same routes. SageMaker starts a container as
`docker run <image> serve` and uses port 8080: an image whose entry point is `ml` needs
SERVE_HOST=0.0.0.0 and SERVE_PORT=8080.
"""

from fastapi import FastAPI, Response

from ..model_loader import ModelLoader
from ..platform_formats import Endpoint
from ..routes import PLATFORM_HEALTH, protected


def add_routes(app: FastAPI, endpoint: Endpoint, champion: ModelLoader) -> None:
    """Add the routes; /version returns the version of the model."""
    options = {**protected("predict"), "include_in_schema": False}
    app.add_api_route("/invocations", endpoint, methods=["POST"], **options)

    async def ping() -> Response:
        return Response("\n")

    async def version() -> Response:
        return Response(champion.current().version)

    for path in PLATFORM_HEALTH:
        answer = version if path == "/version" else ping
        app.add_api_route(path, answer, methods=["GET", "HEAD"], include_in_schema=False)
