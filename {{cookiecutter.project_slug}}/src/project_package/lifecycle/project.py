"""The project that a command works on: what to solve, how, and where."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from optuna.exceptions import StorageInternalError
from polars.exceptions import ComputeError
from sqlalchemy.exc import SQLAlchemyError

from .. import params, settings
from ..bundle import EXAMPLES, Bundle, example_requests
from ..contract import AsyncModel, Model, Task
from ..errors import CODE_ERRORS, ModelError, UserError
from ..model_store import CHAMPION, Store
from ..params import Params
from ..settings import Settings
from ..training import Training
from .console import Console
from .inference import answer
from .registry import Registry
from .tracking import Tracking, connect
from .workspace import Workspace

DISK_FAILURES = (OSError, ComputeError)
FAILURES = (*DISK_FAILURES, MlflowException, SQLAlchemyError, StorageInternalError)
"""What the disk, MLflow and databases raise when they fail."""


@dataclass(frozen=True)
class Project:
    """What every stage needs."""

    training: Training
    params: Params
    workspace: Workspace
    settings: Settings
    console: Console

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow, connected on first use."""
        with self.workspace.lock():
            return connect(self.settings, self.workspace, self.params.name, self.overview)

    @property
    def overview(self) -> str:
        """What MLflow shows as the description of the experiment and the model."""
        about = self.training.about(self.params)
        return f"**{about.question}** {about.use}\n\n{about.data}"

    @cached_property
    def store(self) -> Store:
        """The model store."""
        return Store(self.settings.store(self.workspace.root))

    @cached_property
    def registry(self) -> Registry:
        """The versions of this project's model."""
        return Registry(self.tracking.client, self.params.name, self.store)

    def load(self, bundle: Bundle) -> Model | AsyncModel:
        """Load the model of a bundle; raise UserError when it does not fit the project."""
        if reason := self.training.incompatible(bundle):
            raise UserError(f"The model {reason}, unlike the project now: run `ml pipeline`.")
        try:
            return self.training.make_task(bundle).load(bundle)
        except CODE_ERRORS as error:
            raise ModelError(
                f"The bundle of {bundle.manifest.candidate} cannot be loaded: {error!r}. The "
                f"task's `load` must read what is in it: {', '.join(bundle.files)}."
            ) from error

    def check(self, version: int, bundle: Bundle) -> None:
        """Raise UserError when the code does not fit a version, so that no server can start."""
        model, task = self.load(bundle), self.training.make_task(bundle)
        if requests := example_requests(task.request, json.loads(bundle.files[EXAMPLES]), version):
            try:
                answer(task, model, requests)
            except (ModelError, *CODE_ERRORS) as error:
                reason = f"Version {version} cannot answer its examples: {error}"
                raise ModelError(reason) from error

    def champion_task(self) -> Task:
        """Return the task of the champion; raise UserError when there is none."""
        return self.training.make_task(self.store.load(CHAMPION)[1])


@contextmanager
def open_folder(use_case: Any, changes: Sequence[str], quiet: bool) -> Iterator[Project]:
    """Open the project of the working folder, with changes of its parameters.

    `use_case` has `params` and `for_project`: it is a `Training`, or makes one for a project.

    Raises:
        UserError: parameters or settings are wrong, or the disk or MLflow failed inside.
    """
    root = Path.cwd()
    values = params.read(use_case.params, root / "params.toml", changes)
    try:
        training = use_case.for_project(values, root)
        yield Project(training, values, Workspace(root), settings.read(), Console(quiet))
    except FAILURES as error:
        what = "The disk" if isinstance(error, DISK_FAILURES) else "MLflow or a database"
        reason = str(error).partition("\n")[0]
        raise UserError(f"{what} failed: {reason}. Run `ml doctor` to find out more.") from error
