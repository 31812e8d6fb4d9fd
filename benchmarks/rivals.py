"""Other ways to serve the champion of a fraud project, and the requests that each gets."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from load import CONSTANT

from project_package.bundle import EXAMPLES
from project_package.fraud.decide_and_explain import ASSETS, Assets
from project_package.fraud.features import matrix
from project_package.fraud.schemas import FraudRequest
from project_package.fraud.task import make_task
from project_package.model_store import CHAMPION, Store

HERE = Path(__file__).resolve().parent
BARE, MLFLOW, BENTOML = "FastAPI, constant answer", "mlflow models serve", "BentoML, ONNX"


@dataclass(frozen=True)
class Rival:
    """Another way to serve: how it starts, and what it is sent."""

    command: tuple[str, ...]
    ready: str
    path: str
    script: str
    folder: Path = HERE
    env: Mapping[str, str] = field(default_factory=dict)


def rivals(project: Path, requests: str) -> dict[str, Rival]:
    """Return the rivals of a project's server; `requests` is the script for the bare endpoint."""
    version, bundle, _ = Store(str(project / "store")).load(CHAMPION)
    example = json.loads(bundle.files[EXAMPLES])[0]["request"] | {"history": []}
    request = FraudRequest.model_validate(example)
    rows = make_task(bundle).to_rows([request])
    inputs = matrix(rows, Assets.model_validate_json(bundle.files[ASSETS]).medians)
    graph = project / f"store/versions/{version}/bundle/model.onnx"
    uvicorn = (sys.executable, "-m", "uvicorn", "--log-level", "warning", "--http", "h11")
    bento = ("uv", "run", "--no-project", "--with", "bentoml,numpy,onnxruntime", "bentoml", "serve")
    mlflow = (str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--env-manager")
    model = f"models:/{bundle.manifest.name}@champion"
    instances = {"inputs": [request.model_dump(mode="json")]}
    return {
        BARE: Rival(
            (*uvicorn, "bare_endpoint:app", "--port", "PORT", "--no-access-log"),
            "/docs",
            "/v1/predict",
            requests,
        ),
        MLFLOW: Rival(
            (*mlflow, "local", "--model-uri", model, "--port", "PORT"),
            "/ping",
            "/invocations",
            CONSTANT % json.dumps(instances),
            project,
            {
                "MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db",
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
        ),
        BENTOML: Rival(
            (*bento, "bentoml_service:Fraud", "--port", "PORT"),
            "/readyz",
            "/predict",
            CONSTANT % json.dumps({"features": inputs.tolist()}),
            env={"GRAPH": str(graph)},
        ),
    }
