"""Run promote or rollback in several copies of a project, each killed before a later step.

    python killed.py <use case> <stage> <folder> ...

The steps are the writes to the store and the move of the alias in MLflow. In the first folder the
process dies before the first step, in the second before the second, and so on.
"""

import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import obstore
from mlflow import MlflowClient

from project_package.lifecycle import promote as stages
from project_package.lifecycle.console import Console
from project_package.lifecycle.params import read
from project_package.lifecycle.project import Project
from project_package.lifecycle.workspace import Workspace
from project_package.settings import Settings


def deadly(call: Callable[..., Any], before: int, steps: "count[int]") -> Callable[..., Any]:
    """Die instead of the step that is `before` others away."""

    def step(*arguments: Any, **named: Any) -> Any:
        if next(steps) == before:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **named)

    return step


def work(use_case: Any, stage: str, root: Path, before: int) -> None:
    steps = count()
    obstore.put = deadly(obstore.put, before, steps)
    move = deadly(MlflowClient.set_registered_model_alias, before, steps)
    setattr(MlflowClient, "set_registered_model_alias", move)  # noqa: B010  mypy forbids the other
    params = read(use_case.params, root / "params.toml")
    local = Settings(mlflow_tracking_uri="", optuna_storage="", model_store="store")
    project = Project(use_case, params, Workspace(root), local, Console(quiet=True))
    getattr(stages, stage)(project)


def main() -> None:
    name, stage, *folders = sys.argv[1:]
    package = stages.__name__.partition(".")[0]
    use_case = import_module(f"{package}.{name}.use_case").USE_CASE
    children = []
    for before, folder in enumerate(folders):
        if not (child := os.fork()):
            work(use_case, stage, Path(folder), before)
            os._exit(0)
        children.append(child)
    for child in children:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))  # noqa: T201


if __name__ == "__main__":
    main()
