"""Tracking in MLflow: what a run tried, on which data, from which commit, with which results."""

import json
import logging
import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow
from filelock import FileLock, Timeout
from mlflow import MlflowClient
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import Schema
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from ..bundle import EXAMPLES, Bundle, Files, pack, write_files
from ..columns import digest
from ..contract.training import Choice, Splits, Training
from ..errors import UserError
from ..settings import Settings, redacted
from .workspace import Dataset, Workspace

LIBRARIES = (
    "anyio",
    "mlflow",
    "numpy",
    "obstore",
    "onnxruntime",
    "pandas",
    "pydantic",
    "pydantic-settings",
    "typing-extensions",
)
"""What the registered model of every use case imports; `Training.libraries` adds others."""
NOTE = "mlflow.note.content"
"""The tag that MLflow shows as the description of a run or an experiment, in Markdown."""


def log_dataset(dataset: Dataset, splits: Splits) -> None:
    """Log the rows on which the open run trains and tests, and the digest of the data set."""
    source = CodeDatasetSource({"mlflow.source.name": dataset.path.as_posix()})
    for name, rows in (("training", splits.train), ("test", splits.test)):
        used = mlflow.data.from_numpy(  # type: ignore[attr-defined]
            dict(rows), source, name=name, digest=digest(rows)[:16]
        )
        mlflow.log_input(used, name)
    mlflow.set_tag("data", dataset.digest)


def log_choice(choice: Choice, metric: str) -> None:
    """Name the open run by its candidate; log its settings and its scores on the folds."""
    name = choice.candidate.name
    title = f"{name} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    note = f"{name} has the best score on the folds. The child runs are the new trials."
    mlflow.set_tags({"mlflow.runName": title, "candidate": name, NOTE: note})
    mlflow.log_params(dict(choice.settings))
    mlflow.log_metrics(fold_scores(metric, choice.folds))
    mlflow.log_metric(f"valid.{metric}", choice.score)


def log_trial(experiment: str, name: str, trial: FrozenTrial, metric: str) -> None:
    """Log a trial of the search as a child of the open run; a pruned one has no mean score."""
    title = f"{name} trial {trial.number}"
    state = trial.state.name.lower()
    tags = {"candidate": name, "state": state}
    with mlflow.start_run(None, experiment, title, nested=True, tags=tags):
        mlflow.log_params(trial.user_attrs["settings"])
        mlflow.log_metrics(fold_scores(metric, trial.user_attrs["folds"]))
        for fold, epoch, scores in trial.user_attrs["epochs"]:
            log_epoch(epoch, scores, fold)
        if trial.state is TrialState.COMPLETE and trial.value is not None:
            mlflow.log_metric(f"valid.{metric}", trial.value)
        if trial.duration is not None:
            mlflow.log_metric("seconds", trial.duration.total_seconds())


def fold_scores(metric: str, scores: Sequence[float]) -> dict[str, float]:
    """Name the scores on the folds."""
    return {f"valid.{metric}.fold_{number}": score for number, score in enumerate(scores)}


LOSSES = {"loss": "training rows", "val_loss": "rows held out"}
"""Scores of an epoch that are losses, and of which rows."""


def log_epoch(epoch: int, scores: Mapping[str, float], fold: int | None = None) -> None:
    """Log the scores of an epoch to the open run: MLflow draws the learning curves of a fit."""
    end = "" if fold is None else f".fold_{fold}"
    mlflow.log_metrics({f"epoch.{name}{end}": score for name, score in scores.items()}, epoch)


def read_losses(client: MlflowClient, run: str) -> dict[str, list[tuple[int, float]]]:
    """Return epoch, from 1, and loss of the final fit, by rows; empty where it had no epochs."""
    losses = {}
    for name, rows in LOSSES.items():
        if history := client.get_metric_history(run, f"epoch.{name}"):
            losses[rows] = [(loss.step + 1, loss.value) for loss in history]
    return losses


def log_files(files: Files, folder: str, run: str | None = None) -> None:
    """Log files under a folder of a run, by default the open one."""
    with TemporaryDirectory() as temporary:
        write_files(files, Path(temporary) / folder)
        mlflow.log_artifacts(temporary, run_id=run)


def log_model(bundle: Bundle, training: Training) -> str:
    """Log a bundle as an MLflow model that answers raw instances; return its address.

    Without these requirements MLflow would take ten seconds to find them.
    """
    libraries = (*LIBRARIES, *training.libraries)
    task = training.make_task(bundle)
    examples = json.loads(bundle.files[EXAMPLES])
    with TemporaryDirectory() as temporary, warnings.catch_warnings():
        # Of a model without examples, and of whole numbers in answers, which are never missing.
        warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
        write_files(pack(bundle), Path(temporary) / "bundle")
        info = mlflow.pyfunc.log_model(
            name=bundle.manifest.candidate,
            python_model=str(Path(__file__).with_name("mlflow_model.py")),
            artifacts={"bundle": f"{temporary}/bundle"},
            code_paths=[str(Path(__file__).parents[1])],
            model_config={"task": training.make_task.__module__},
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in libraries],
            signature=signature(task.request, [e["response"] for e in examples]),
            input_example=[example["request"] for example in examples[:1]] or None,
        )
    return str(info.model_uri)


def signature(request: type[BaseModel], responses: Sequence[Mapping[str, Any]]) -> ModelSignature:
    """Describe the fields of a request, and those of the responses if there are any.

    Numbers and nested fields have the type "any": MLflow refuses 25 where a number may have a
    fraction, and checks nested values one by one, slowly. The request itself checks them all.
    """
    columns = []
    for name, field in request.model_fields.items():
        kind = "string" if field.annotation is str else "any"
        columns.append({"name": field.alias or name, "type": kind, "required": field.is_required()})
    outputs = infer_signature(model_output=list(responses)).outputs if responses else None
    return ModelSignature(Schema.from_json(json.dumps(columns)), outputs)


@dataclass(frozen=True)
class Tracking:
    """MLflow, connected to a project's experiment."""

    client: MlflowClient
    experiment: str
    root: Path
    """The project's folder: an open run has a lock file there."""

    @contextmanager
    def run(self, name: str, about: str) -> Iterator[str]:
        """Describe the experiment, open a run and yield its id; it fails when the body raises."""
        self._end_killed_runs()
        self.client.set_experiment_tag(self.experiment, NOTE, about)
        code, _, dirty = commit().partition("-")
        tags = {"mlflow.source.git.commit": code, "mlflow.source.git.dirty": str(bool(dirty))}
        tags = tags if code else {}
        with mlflow.start_run(experiment_id=self.experiment, run_name=name, tags=tags) as run:
            lock = self.root / f".lock-{run.info.run_id}"
            with FileLock(lock):  # which the system releases when the process is killed
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
    """Connect to MLflow or raise UserError; find or create the experiment."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_ENABLE_OTLP_EXPORTER", "false")  # the server's collector
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # 7 would be minutes of silence
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    address = settings.tracking(workspace.root)
    try:
        mlflow.set_tracking_uri(address)
        client = MlflowClient()
        local = (workspace.root / "mlartifacts").absolute().as_uri()
        location = local if address.startswith("sqlite:") else None
        old = client.get_experiment_by_name(name)
        tags = {"mlflow.experimentKind": "custom_model_development"}
        experiment = old.experiment_id if old else client.create_experiment(name, location, tags)
        return Tracking(client, experiment, workspace.root)
    except (MlflowException, SQLAlchemyError) as error:
        raise UserError(redacted(f"MLflow at {address} cannot be used: {error}")) from error


def commit() -> str:
    """Return the git commit of the working folder, with -dirty when files have changed.

    Without git or a repository, as in an image, it is GIT_COMMIT, or empty.
    """
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (FileNotFoundError, subprocess.CalledProcessError):
        return os.environ.get("GIT_COMMIT", "")
