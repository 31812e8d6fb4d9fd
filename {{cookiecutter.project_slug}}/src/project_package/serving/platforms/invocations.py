"""MLflow and SageMaker: POST /invocations, GET /ping, /health and /version.

Vertex AI and Azure ML can be configured to use the same routes. SageMaker starts a container as
`docker run <image> serve` and uses port 8080: an image whose entry point is `ml` needs
SERVE_HOST=0.0.0.0 and SERVE_PORT=8080.
"""

from fastapi import FastAPI, Request, Response

from ..model_loader import ModelLoader
from ..platform_formats import Endpoint
from ..routes import PLATFORM_HEALTH, protected


def add_routes(app: FastAPI, endpoint: Endpoint, champion: ModelLoader) -> None:
    """Add the routes; /version returns the version of the model."""
    options = {**protected("predict"), "include_in_schema": False}
    app.add_api_route("/invocations", endpoint, methods=["POST"], **options)

    async def ping(request: Request) -> Response:
        version = champion.current().version
        return Response(version if request.url.path == "/version" else "\n")

    for path in PLATFORM_HEALTH:
        app.add_api_route(path, ping, methods=["GET", "HEAD"], include_in_schema=False)
