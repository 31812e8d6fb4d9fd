"""Who is champion after a promote or a rollback: in a new store, and killed at any moment."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import obstore
from mlflow import MlflowClient

from project_package.bundle import unpack
from project_package.lifecycle import stages
from project_package.lifecycle.console import Console
from project_package.lifecycle.params import read
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.doctor import models
from project_package.lifecycle.workspace import Workspace
from project_package.settings import Settings
from project_package.model_store import BUNDLE, CHALLENGER, CHAMPION

KILLED = -9
WRITES = ("set_registered_model_alias", "delete_registered_model_alias", "update_model_version")
CHILD = """
import os, sys
from runpy import run_path
file, name, stage, *folders = sys.argv[1:]
work = run_path(file)["work"]
children = []
for before, folder in enumerate(folders):
    if not (child := os.fork()):
        code = 1
        try:
            work(name, stage, folder, before)
            code = 0
        finally:
            os._exit(code)
    children.append(child)
for child in children:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def work(name: str, stage: str, folder: str, before: int) -> None:
    """Run a stage that dies before a later step: a write to the store or to MLflow."""
    steps = count()
    setattr(obstore, "put", deadly(obstore.put, before, steps))  # noqa: B010  mypy forbids the other
    for step in WRITES:
        setattr(MlflowClient, step, deadly(getattr(MlflowClient, step), before, steps))
    package = Project.__module__.partition(".")[0]
    use_case = import_module(f"{package}.{name}.use_case").USE_CASE
    params = read(use_case.params, Path(folder, "params.toml"))
    local = Settings(mlflow_tracking_uri="", optuna_storage="", model_store="store")
    project = Project(use_case, params, Workspace(Path(folder)), local, Console(quiet=True))
    getattr(stages, stage)(project)


def deadly(call: Callable[..., Any], before: int, steps: "count[int]") -> Callable[..., Any]:
    """Die instead of the step that is `before` others away."""

    def step(*arguments: Any, **options: Any) -> Any:
        if next(steps) == before:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return step


def run_killed(stage: str, projects: list[Project]) -> list[int]:
    """Kill the stage before its first step in the first project, and so on; give exit codes."""
    folders = [project.workspace.root for project in projects]
    name = projects[0].use_case.api.name
    command: list[str | Path] = [sys.executable, "-c", CHILD, __file__, name, stage, *folders]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [int(line) for line in done.stdout.splitlines()]


def served(project: Project) -> int:
    """Give the champion's number, after its files were verified."""
    store = project.registry.store
    pointer = store.pointer(CHAMPION)
    assert pointer is not None
    assert unpack(store.fetch(pointer.version, BUNDLE)).digest == pointer.digest
    return pointer.version


def crowned(project: Project) -> int:
    """Give the champion that MLflow names after the next command."""
    models(project)
    version = project.registry.find(CHAMPION)
    assert version is not None
    return version.number


def test_a_new_store_gets_its_champion(
    trained: Path, clone: Callable[[Path], Project], tmp_path: Path
) -> None:
    project = clone(trained)
    elsewhere = project.settings.model_copy(update={"model_store": str(tmp_path / "bucket")})
    moved = replace(project, settings=elsewhere)
    assert promote(moved) == 1
    assert served(moved) == crowned(moved) == 1


def test_a_killed_promote_leaves_the_old_or_the_new_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    projects = [clone(retrained) for _ in range(13)]
    codes = run_killed("promote", projects)
    assert codes == [KILLED] * 12 + [0]  # the alias, the description, nine writes, the alias
    assert [served(project) for project in projects] == [1] * 11 + [2] * 2
    assert [crowned(project) for project in projects] == [1] * 11 + [2] * 2
    texts = [p.registry.client.get_model_version(p.params.name, "2").description for p in projects]
    assert [bool(text) for text in texts] == [False] * 2 + [True] * 11
    for project in (projects[5], projects[11]):
        assert promote(project) == served(project) == crowned(project) == 2
        assert project.registry.rollback() == (2, 1)


def test_a_killed_rollback_leaves_the_old_or_the_new_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    promote(promoted := clone(retrained))
    projects = [clone(promoted.workspace.root) for _ in range(4)]
    assert run_killed("rollback", projects) == [KILLED] * 3 + [0]
    assert [served(project) for project in projects] == [2, 2, 1, 1]
    assert [crowned(project) for project in projects] == [2, 2, 1, 1]
    for project in projects[2:]:
        assert project.registry.find(CHALLENGER) is None
