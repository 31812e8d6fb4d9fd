"""Data sets appear whole or not at all, and two commands at once do no harm."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from machine import run_python

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.rollback import rollback
from project_package.lifecycle.workspace import Workspace
from project_package.model_store import CHALLENGER, CHAMPION
from project_package.settings import Settings

KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from project_package.lifecycle.workspace import Workspace
def fill(folder):
    (folder / "rows").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
Workspace(Path(sys.argv[1])).new_dataset(fill)
"""
RUN_STAGE = """
from project_package.cli import EntryPoint
EntryPoint("plain", task="use_case", training="use_case").main()
"""


def writing(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "rows").write_text(text)

    return fill


def test_new_data_set_is_named_by_its_content(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, two = (workspace.new_dataset(writing(text)) for text in ("one", "two"))
    assert one.digest != two.digest
    assert workspace.dataset() == two
    assert workspace.dataset(one.digest).path.joinpath("rows").read_text() == "one"
    assert workspace.new_dataset(writing("one")) == one == workspace.dataset()
    assert {path.name for path in workspace.data.iterdir()} == {one.digest, two.digest, "latest"}


def test_old_leftovers_of_a_kill_are_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    old = workspace.data / ".partial-1"
    new = workspace.data / ".partial-2"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    assert workspace.new_dataset(writing("one")).path.exists()
    assert (old.exists(), new.exists()) == (False, True)


def test_failure_keeps_the_old_data_set(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    old = workspace.new_dataset(writing("old"))

    def fail(folder: Path) -> None:
        (folder / "rows").write_text("half")
        raise UserError("no more disk")

    with pytest.raises(UserError, match="no more disk"):
        workspace.new_dataset(fail)
    assert workspace.dataset() == old
    assert {path.name for path in workspace.data.iterdir()} == {old.digest, "latest"}


def test_kill_keeps_the_old_data_set(tmp_path: Path) -> None:
    old = Workspace(tmp_path).new_dataset(writing("old"))
    assert run_python(KILLED_WHILE_WRITING, tmp_path).returncode == -9
    assert Workspace(tmp_path).dataset() == old
    new = Workspace(tmp_path).new_dataset(writing("new"))
    assert Workspace(tmp_path).dataset() == new


def test_missing_data_says_what_to_run(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(UserError, match="There is no data yet: run `ml data` first"):
        workspace.dataset()
    with pytest.raises(UserError, match="The data set c0ffee is gone"):
        workspace.dataset("c0ffee")


def run_twice(project: Project, stage: str) -> list[str]:
    """Run a command twice at once in the project's folder; return what each printed."""
    environment = {k: v for k, v in os.environ.items() if k.lower() not in Settings.model_fields}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    start = partial(subprocess.Popen, cwd=project.workspace.root, env=environment, text=True)
    command = [sys.executable, "-c", RUN_STAGE, stage]
    both = [start(command, stdout=subprocess.PIPE) for _ in range(2)]
    printed = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    return printed


def aliases(project: Project) -> list[tuple[int, tuple[str, ...]]]:
    return [(version.number, version.aliases) for version in project.registry.versions()]


def test_one_of_two_promotes_at_once_sees_the_other(candidate: Project) -> None:
    printed = run_twice(candidate, "promote")
    assert sorted("Version 2 is the champion already." in text for text in printed) == [False, True]
    assert aliases(candidate) == [(2, (CHALLENGER, CHAMPION)), (1, ())]
    assert candidate.store.load(CHAMPION)[0] == 2
    assert rollback(candidate) == 1


def test_two_trainings_at_once_give_two_versions(copy: Project) -> None:
    (copy.workspace.root / "optuna.db").unlink()  # so that they share a search too
    printed = "".join(run_twice(copy, "train"))
    assert sorted(re.findall(r"Version (\d) is", printed)) == ["2", "3"]
    assert aliases(copy) == [(3, (CHALLENGER,)), (2, ()), (1, (CHAMPION,))]
    registry = copy.registry
    assert len({registry.bundle(version).digest for version in registry.versions()}) == 1
