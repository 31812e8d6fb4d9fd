"""A promote or a rollback that is killed leaves the old champion or the new one."""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import obstore
import pytest
from machine import run_python
from mlflow import MlflowClient
from plain import use_case
from projects import open_project

from project_package.lifecycle.list_versions import list_versions
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.rollback import rollback
from project_package.model_store import CHALLENGER, CHAMPION

pytestmark = pytest.mark.system
KILLED = -9
STAGES = {"promote": promote, "rollback": rollback}
WRITES = ("set_registered_model_alias", "delete_registered_model_alias", "update_model_version")
CHILD = """
import os, sys
from runpy import run_path
file, stage, *folders = sys.argv[1:]
run_until = run_path(file)["run_until"]
children = []
for write, folder in enumerate(folders):
    if not (child := os.fork()):
        code = 1
        try:
            run_until(write, stage, folder)
            code = 0
        finally:
            os._exit(code)
    children.append(child)
for child in children:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run_until(write: int, stage: str, folder: str) -> None:
    """Run a stage, killed before a write (counted from 0) to the store or to MLflow."""
    writes = count()

    def killing(call: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            if next(writes) == write:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return step

    setattr(obstore, "put", killing(obstore.put))  # noqa: B010  mypy forbids the assignment
    for name in WRITES:
        setattr(MlflowClient, name, killing(getattr(MlflowClient, name)))
    STAGES[stage](open_project(use_case, Path(folder)))


def run_killed(stage: str, projects: list[Project]) -> list[int]:
    """Kill the stage before write 0 in the first project, and so on; return the exit codes."""
    folders = [project.workspace.root for project in projects]
    done = run_python(CHILD, __file__, stage, *folders)
    return [int(line) for line in done.stdout.splitlines()]


def served(project: Project) -> int:
    """Return the version that servers load, verified."""
    return project.store.load(CHAMPION)[0]


def registered(project: Project) -> int:
    """Return the champion in MLflow after the next command."""
    list_versions(project)
    version = project.registry.find_version(CHAMPION)
    assert version is not None
    return version.number


def test_killed_promote_leaves_the_old_or_new_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    store = clone(retrained).store
    files = len(store.fetch(1, "bundle")) + len(store.fetch(1, "evidence"))
    writes = 2 + files + 2  # alias and description in MLflow; files and pointer; the alias again
    projects = [clone(retrained) for _ in range(writes + 1)]
    expected = [1] * (writes - 1) + [2] * 2
    assert run_killed("promote", projects) == [KILLED] * writes + [0]
    assert [served(project) for project in projects] == expected
    assert {project.store.load(CHALLENGER)[0] for project in projects[:-1]} == {2}
    assert rollback(clone(projects[writes - 1].workspace.root)) == 1
    assert [registered(project) for project in projects] == expected
    for project in projects[writes - 2 : writes]:
        assert promote(project) == served(project) == registered(project) == 2
        assert rollback(project) == 1


def test_killed_rollback_leaves_the_old_or_new_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    promote(promoted := clone(retrained))
    projects = [clone(promoted.workspace.root) for _ in range(4)]
    assert run_killed("rollback", projects) == [KILLED] * 3 + [0]
    assert [served(project) for project in projects] == [2, 2, 1, 1]
    assert [registered(project) for project in projects] == [2, 2, 1, 1]
    assert all(project.registry.find_version(CHALLENGER) is None for project in projects[2:])


def test_repeated_rollback_goes_back_once(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    promote(promoted := clone(retrained))
    registry = promoted.registry
    source = registry.client.get_model_version(registry.name, "2").source
    third = registry.find_version(registry.register(str(source), "about"))
    assert third is not None
    registry.set_champion(third)
    projects = [clone(promoted.workspace.root) for _ in range(4)]
    assert run_killed("rollback", projects) == [KILLED] * 3 + [0]
    assert [served(project) for project in projects] == [3, 3, 2, 2]
    assert [rollback(project) for project in projects] == [2, 2, 2, 1]
    assert [registered(project) for project in projects] == [2, 2, 2, 1]
