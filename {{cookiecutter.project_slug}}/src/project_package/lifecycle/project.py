"""The project that a command works on: what to solve, how, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mlflow.exceptions import MlflowException
from polars.exceptions import ComputeError
from sqlalchemy.exc import SQLAlchemyError

from ..contract import Params, UseCase
from ..errors import UserError
from ..settings import Settings
from ..model_store import Store
from .console import Console
from .registry import Registry
from .tracking import Tracking, connect
from .workspace import Workspace

FAILURES = (MlflowException, SQLAlchemyError, ComputeError, OSError)
"""What the disk, MLflow and its database raise when they fail."""


@dataclass(frozen=True)
class Project:
    """What every stage needs."""

    use_case: UseCase[Any, Any, Any, Any]
    params: Params
    workspace: Workspace
    settings: Settings
    console: Console

    def run(self, stage: Callable[..., object], *arguments: object) -> None:
        """Run a stage; what fails outside of it, MLflow or the disk, is told in words."""
        try:
            stage(self, *arguments)
        except FAILURES as error:
            what = "The disk" if isinstance(error, (OSError, ComputeError)) else "MLflow"
            said = str(error).partition("\n")[0]
            raise UserError(f"{what} refused: {said}. `ml doctor` says more.") from error

    @cached_property
    def tracking(self) -> Tracking:
        """MLflow, connected on first use."""
        with self.workspace.lock():
            return connect(self.settings, self.workspace, self.params.name)

    @cached_property
    def store(self) -> Store:
        """The published models."""
        return Store(self.settings.store(self.workspace.root))

    @cached_property
    def registry(self) -> Registry:
        """The versions of this project's model."""
        return Registry(self.tracking.client, self.params.name, self.store)
