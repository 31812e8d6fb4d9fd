"""Other ways to serve the champion of a fraud project, and what each is asked."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from load import CONSTANT

from project_package.bundle import EXAMPLES
from project_package.fraud.task import API, FraudRequest
from project_package.onnx_model import Predictor, features
from project_package.model_store import CHAMPION, Store

HERE = Path(__file__).resolve().parent
BARE, MLFLOW, BENTOML = "FastAPI, constant answer", "mlflow models serve", "BentoML, ONNX"


@dataclass(frozen=True)
class Rival:
    """Another way to serve: how it starts, what it is asked."""

    command: tuple[str, ...]
    ready: str
    path: str
    script: str
    folder: Path = HERE
    env: Mapping[str, str] = field(default_factory=dict)


def rivals(project: Path, payments: str) -> dict[str, Rival]:
    """Give those that the server is compared with, of a project; `payments` are the requests."""
    version, bundle = Store(str(project / "store")).load(CHAMPION)
    example = FraudRequest.model_validate(json.loads(bundle.assets[EXAMPLES])[0]["request"])
    assets = Predictor(bundle, API).assets
    row = API.encode(features(API, [example]), assets)["features"].tolist()
    graph = project / f"store/versions/{version}/bundle/model.onnx"
    uvicorn = (sys.executable, "-m", "uvicorn", "--log-level", "warning")
    tracking = f"sqlite:///{project}/mlflow.db"
    bento = ("uv", "run", "--no-project", "--with", "bentoml,numpy,onnxruntime", "bentoml", "serve")
    mlflow = (str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--env-manager")
    return {
        BARE: Rival(
            (*uvicorn, "bare_endpoint:app", "--port", "PORT", "--no-access-log"),
            "/docs",
            "/v1/predict",
            payments,
        ),
        MLFLOW: Rival(
            (
                *mlflow,
                "local",
                "--model-uri",
                f"models:/{bundle.manifest.name}@champion",
                "--port",
                "PORT",
            ),
            "/ping",
            "/invocations",
            CONSTANT % json.dumps({"inputs": {"features": row}}),
            project,
            {"MLFLOW_TRACKING_URI": tracking},
        ),
        BENTOML: Rival(
            (*bento, "bentoml_service:Fraud", "--port", "PORT"),
            "/readyz",
            "/predict",
            CONSTANT % json.dumps({"features": row}),
            env={"GRAPH": str(graph)},
        ),
    }
