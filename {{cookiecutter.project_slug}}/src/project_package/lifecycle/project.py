"""The project that a command works on: what to solve, how, and where."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from anyio.from_thread import BlockingPortal, start_blocking_portal
from mlflow.exceptions import MlflowException
from optuna.exceptions import StorageInternalError
from polars.exceptions import ComputeError
from sqlalchemy.exc import SQLAlchemyError

from ..bundle import EXAMPLES, Bundle, code_of, example_requests, sha256
from ..columns import Columns
from ..contract.call_async_model import to_model
from ..contract.task import Model, Task, is_async, predict_requests
from ..contract.training import Training
from ..errors import ModelError, UserError, require_known
from ..model_store import CHAMPION, DOWNLOADS, Store
from ..params import Params
from ..prediction_log import PredictionLog, open_log
from ..read_params import flatten, read_params
from ..settings import Settings, read_settings, redacted
from .console import Console
from .registry import Registry
from .tracking import Tracking, connect
from .workspace import Workspace

DISK_FAILURES = (OSError, ComputeError)
FAILURES = (*DISK_FAILURES, MlflowException, SQLAlchemyError, StorageInternalError)
"""What the disk, MLflow and databases raise when they fail."""


class UseCase(Protocol):
    """The module `training` of a use case."""

    PARAMS: type[Params]
    """The type of its parameters."""

    def make_training(self, params: Any, root: Path) -> Training:
        """Make the training for parameters and a project's folder."""


class StoredEvents(Protocol):
    """What commands do with the event store of a project that has one."""

    def check_store(self, project: "Project") -> str:
        """Open the store, and return what there is to say about it."""

    def erase_events(self, project: "Project", kind: str, entity: str) -> int:
        """Delete the events of an entity of a kind; return how many."""

    def to_rows(self, project: "Project", task: Task, request: Any) -> Columns | None:
        """Return the row of a request with stored events; None if it needs none."""


@dataclass(frozen=True)
class Project:
    """What every stage needs."""

    training: Training
    params: Params
    workspace: Workspace
    settings: Settings
    console: Console
    portal: BlockingPortal
    """Awaits every AsyncModel that is loaded."""
    events: StoredEvents | None = None
    """None where no feature reads earlier events."""

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow, connected on first use."""
        with self.workspace.lock():
            return connect(self.settings, self.workspace, self.params.name)

    @property
    def overview(self) -> str:
        """What MLflow shows as the description of the experiment and the model."""
        about = self.training.about(self.params)
        return f"**{about.question}** {about.use}\n\n{about.data}"

    @cached_property
    def store(self) -> Store:
        """The model store."""
        root = self.workspace.root
        return Store(self.settings.store(root), root / DOWNLOADS)

    @cached_property
    def registry(self) -> Registry:
        """The versions of this project's model."""
        prompts = self.training.prompts
        return Registry(self.tracking.client, self.params.name, self.store, prompts)

    def load(self, bundle: Bundle) -> Model:
        """Load the model of a bundle; raise UserError when it does not fit the project."""
        if reason := self.training.incompatible(bundle):
            raise UserError(f"The model {reason}, unlike the project now: run `ml pipeline`.")
        try:
            model = self.training.make_task(bundle).load(bundle)
        except UserError:
            raise
        except Exception as error:  # the use case's `load` may raise any
            raise ModelError(
                f"The bundle of {bundle.manifest.candidate} cannot be loaded: {error!r}. The "
                f"task's `load` must read what is in it: {', '.join(bundle.files)}."
            ) from error
        if self.events is not None and is_async(model):
            raise UserError("An AsyncModel cannot read an event store: the task has a history.")
        return to_model(model, self.portal)

    def verify(self, version: int, bundle: Bundle) -> None:
        """Raise UserError if the code cannot serve a version."""
        model = self.load(bundle)
        task = self.training.make_task(bundle)
        if requests := example_requests(task.request, json.loads(bundle.files[EXAMPLES]), version):
            try:
                predict_requests(task, model, requests)
            except Exception as error:  # the model may raise any
                reason = f"Version {version} cannot answer its examples: {error}"
                raise ModelError(reason) from error

    @property
    def identity(self) -> str:
        """The hash of code and parameters on which predictions depend."""
        apart = ("monitor.", "promote.", "simulate.", "train.")  # sections that change no model
        used = {k: v for k, v in flatten(self.params).items() if not k.startswith(apart)}
        return sha256(json.dumps(used, sort_keys=True).encode() + code_of(self.training.make_task))

    def champion_task(self) -> Task:
        """Return the task of the champion; raise UserError when there is none."""
        return self.training.make_task(self.champion())

    def champion(self) -> Bundle:
        """Return the bundle of the champion; raise UserError when there is none."""
        return self.store.load(CHAMPION)[1]


def find_log(project: Project) -> PredictionLog:
    """Open the prediction log; raise UserError when it is off."""
    log = open_log(project.settings, project.workspace.root)
    if log is None:
        raise UserError("LOG_URL is off, so there is no prediction log to read: unset it.")
    return log


@contextmanager
def open_folder(use_case: UseCase, changes: Sequence[str], quiet: bool) -> Iterator[Project]:
    """Open the project of the working folder, with changes of its parameters.

    Raises:
        UserError: parameters or settings are wrong, or the disk or MLflow failed inside.
    """
    root = Path.cwd()
    params = read_params(use_case.PARAMS, root / "params.toml", changes)
    try:
        training = use_case.make_training(params, root)
        limited = (*params.promote.worst, *params.promote.max_loss)
        names = (metric.name for metric in training.metrics)
        require_known("promote.worst or promote.max_loss", limited, "a metric", names)
        settings = read_settings(Settings)
        with start_blocking_portal() as portal:
            yield Project(training, params, Workspace(root), settings, Console(quiet), portal)
    except FAILURES as error:
        what = "The disk" if isinstance(error, DISK_FAILURES) else "MLflow or a database"
        reason = redacted(str(error).partition("\n")[0])
        raise UserError(f"{what} failed: {reason}. Run `ml doctor` to find out more.") from error
