"""Killed at any moment, promote and rollback leave the old or the new champion, whole."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from project_package.bundle import unpack
from project_package.lifecycle.models import models
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.registry import BUNDLE, CHAMPION
from project_package.settings import Settings

SCRIPT = Path(__file__).with_name("killed.py")
KILLED = -9


def run_killed(stage: str, projects: list[Project]) -> list[int]:
    """Kill the stage before its first step in the first project, and so on; give exit codes."""
    folders = [project.workspace.root for project in projects]
    command: list[str | Path] = [
        sys.executable,
        SCRIPT,
        projects[0].use_case.api.name,
        stage,
        *folders,
    ]
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


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_a_killed_promote_leaves_the_old_or_the_new_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    projects = [clone(retrained) for _ in range(11)]
    codes = run_killed("promote", projects)
    assert codes == [KILLED] * 10 + [0]  # the alias is mended, eight writes, and it moves
    assert [served(project) for project in projects] == [1] * 9 + [2] * 2
    assert [crowned(project) for project in projects] == [1] * 9 + [2] * 2
    for project in (projects[5], projects[9]):
        assert promote(project) == served(project) == crowned(project) == 2
        assert project.registry.rollback() == (2, 1)


def test_a_killed_rollback_leaves_the_old_or_the_new_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    promote(promoted := clone(retrained))
    projects = [clone(promoted.workspace.root) for _ in range(3)]
    assert run_killed("rollback", projects) == [KILLED, KILLED, 0]
    assert [served(project) for project in projects] == [2, 1, 1]
    assert [crowned(project) for project in projects] == [2, 1, 1]
