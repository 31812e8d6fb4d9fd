"""Tracking in MLflow: what a run tried, on which data, from which commit, with which results."""

import importlib.metadata
import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from ..bundle import write as write_files
from ..contract import Files
from ..errors import UserError
from ..settings import Settings, shown
from .search import Choice
from .workspace import Dataset, Workspace

MODEL_LIBRARIES = ("mlflow", "numpy", "onnxruntime", "pandas", "pydantic", "typing-extensions")
"""What the registered model imports. A use case that needs more adds it here."""


def log_dataset(dataset: Dataset) -> None:
    """Log which data set the open run uses."""
    source = CodeDatasetSource({"mlflow.source.name": dataset.path.as_posix()})
    used = MetaDataset(source, name="data", digest=dataset.digest)  # type: ignore[abstract]
    mlflow.log_input(used, "training")
    mlflow.set_tag("data", dataset.digest)


def log_choice(choice: Choice, metric: str) -> None:
    """Log a candidate's best settings and score, and the folds of each trial as a step."""
    name = f"{choice.candidate.name}.{metric}"
    mlflow.log_metric(name, choice.score)
    for trial, scores in choice.trials.items():
        folds = {f"{name}.fold_{fold}": score for fold, score in enumerate(scores)}
        mlflow.log_metrics(folds, step=trial)
    mlflow.log_dict(dict(choice.settings), f"search/{choice.candidate.name}.json")


def log_files(files: Files, folder: str) -> None:
    """Log files under a folder of the open run."""
    with TemporaryDirectory() as temporary:
        write_files(files, Path(temporary) / folder)
        mlflow.log_artifacts(temporary)


def log_model(files: Files, task: str) -> str:
    """Log a bundle as an MLflow model that answers raw instances; return its address.

    `task` is the module with `make_task`. Without a signature MLflow passes nested instances on
    unchanged; without these requirements it would take ten seconds to find them.
    """
    versions = importlib.metadata.version
    with TemporaryDirectory() as temporary:
        write_files(files, Path(temporary) / "bundle")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={"bundle": f"{temporary}/bundle"},
            code_paths=[str(Path(__file__).parents[1])],
            model_config={"task": task},
            pip_requirements=[f"{name}=={versions(name)}" for name in MODEL_LIBRARIES],
        )
    return str(info.model_uri)


@dataclass(frozen=True)
class Tracking:
    """MLflow, connected to a project's experiment."""

    client: MlflowClient
    experiment: str
    root: Path
    """The project's folder: an open run has a lock file there."""

    @contextmanager
    def run(self, name: str) -> Iterator[str]:
        """Open a new run and yield its id; it ends as failed when the body raises."""
        self._end_killed_runs()
        with mlflow.start_run(experiment_id=self.experiment, run_name=name) as run:
            lock = self.root / f".lock-{run.info.run_id}"
            with FileLock(lock):  # which the system releases when the process is killed
                mlflow.set_tag("commit", commit())
                yield run.info.run_id
                lock.unlink()

    def _end_killed_runs(self) -> None:
        """Mark the runs of killed processes as KILLED; MLflow would show them running forever."""
        runs = self.client.search_runs([self.experiment], "status = 'RUNNING'")
        running = {run.info.run_id for run in runs}
        for lock in self.root.glob(".lock-*"):
            with suppress(Timeout), FileLock(lock, timeout=0):  # Timeout: its process is alive
                run_id = lock.name.removeprefix(".lock-")
                if run_id in running:
                    self.client.set_terminated(run_id, "KILLED")
                lock.unlink()


def connect(settings: Settings, workspace: Workspace, name: str) -> Tracking:
    """Connect to MLflow and find or create the experiment; raise UserError when it fails."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7 would be minutes of silence
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    address = settings.tracking(workspace.root)
    try:
        mlflow.set_tracking_uri(address)
        client = MlflowClient()
        local = (workspace.root / "mlartifacts").absolute().as_uri()
        location = local if address.startswith("sqlite:") else None
        found = client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else client.create_experiment(name, location)
        return Tracking(client, experiment, workspace.root)
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).replace(address, shown(address))
        raise UserError(f"MLflow at {shown(address)} cannot be used: {reason}") from error


def commit() -> str:
    """Return the git commit of the working folder, with -dirty when files have changed, or ""."""
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return ""
