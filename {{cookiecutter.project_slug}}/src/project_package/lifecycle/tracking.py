"""Tracking: what a run tried, on which data, from which commit, and what came out, in MLflow."""

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mlflow
import mlflow.onnx
import numpy as np
import onnx
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sqlalchemy.exc import SQLAlchemyError

from ..bundle import Bundle
from ..bundle import write as write_files
from ..contract import Columns, Figure, Files
from ..errors import UserError
from ..settings import Settings, shown
from .report import canvas
from .search import Choice
from .workspace import Dataset, Workspace


@dataclass(frozen=True)
class Run:
    """One run that is being written."""

    id: str

    def parameters(self, values: Mapping[str, object]) -> None:
        """Log parameters."""
        mlflow.log_params(dict(values))

    def dataset(self, dataset: Dataset) -> None:
        """Log which data set was used."""
        source = CodeDatasetSource({"mlflow.source.name": dataset.path.as_posix()})
        used = MetaDataset(source, name="data", digest=dataset.digest)  # type: ignore[abstract]
        mlflow.log_input(used, "training")
        mlflow.set_tag("data", dataset.digest)

    def choice(self, choice: Choice, metric: str) -> None:
        """Log a candidate's best settings and score, and every trial's folds, a step a trial."""
        name = f"{choice.candidate.name}.{metric}"
        mlflow.log_metric(name, choice.score)
        for trial, scores in choice.trials.items():
            folds = {f"{name}.fold_{fold}": score for fold, score in enumerate(scores)}
            mlflow.log_metrics(folds, step=trial)
        mlflow.log_dict(dict(choice.settings), f"search/{choice.candidate.name}.json")

    def metrics(self, values: Mapping[str, float]) -> None:
        """Log numbers; MLflow keeps no NaN, so what is not defined is left out."""
        mlflow.log_metrics({name: value for name, value in values.items() if np.isfinite(value)})

    def files(self, files: Files, folder: str) -> None:
        """Log files under a folder of the run."""
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / folder
            write_files(files, path)
            mlflow.log_artifacts(str(path), folder)

    def figure(self, figure: Figure) -> None:
        """Log a picture by itself; the report has it too."""
        mlflow.log_figure(canvas(figure), f"figures/{figure.name}.svg")

    def model(self, bundle: Bundle, inputs: Columns, outputs: Columns) -> str:
        """Log the graph as an MLflow model with signature and example; give its address."""
        example = {name: values[:3] for name, values in inputs.items()}
        info = mlflow.onnx.log_model(
            onnx.load_from_string(bundle.graph),
            name="model",
            signature=infer_signature(example, {k: v[:3] for k, v in outputs.items()}),
            input_example=example,
            pip_requirements=["onnxruntime", "numpy"],
            onnx_execution_providers=["CPUExecutionProvider"],
        )
        return str(info.model_uri)


@dataclass(frozen=True)
class Tracking:
    """The tracking server of a project."""

    client: MlflowClient
    experiment: str

    @contextmanager
    def run(self, name: str) -> Iterator[Run]:
        """Open a new run; it ends as failed when the body raises."""
        with mlflow.start_run(experiment_id=self.experiment, run_name=name) as run:
            mlflow.set_tag("commit", commit())
            yield Run(run.info.run_id)

    @contextmanager
    def resume(self, run_id: str) -> Iterator[Run]:
        """Open a finished run to add to it."""
        with mlflow.start_run(run_id=run_id):
            yield Run(run_id)


def connect(settings: Settings, workspace: Workspace, name: str) -> Tracking:
    """Connect to MLflow and find the project's experiment, or create it.

    Raises:
        UserError: the server cannot be used.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7 would be minutes of silence
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    address = settings.tracking(workspace.root)
    try:
        mlflow.set_tracking_uri(address)
        client = MlflowClient()
        found = client.get_experiment_by_name(name)
        if found is not None:
            return Tracking(client, found.experiment_id)
        local = (workspace.root / "mlartifacts").absolute().as_uri()
        location = local if address.startswith("sqlite:") else None
        return Tracking(client, client.create_experiment(name, artifact_location=location))
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).replace(address, shown(address))
        raise UserError(f"MLflow at {shown(address)} cannot be used: {reason}") from error


def commit() -> str:
    """Give the git commit of the working folder, with -dirty after changes; empty without one."""
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()
