"""Data sets appear whole or not at all, and two commands at once spoil nothing."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.workspace import Workspace, replace_text
from project_package.settings import Settings
from project_package.model_store import CHALLENGER, CHAMPION

PACKAGE = Project.__module__.partition(".")[0]

KILLED_WHILE_FILLING = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
module, root = sys.argv[1:]
def fill(folder):
    (folder / "rows").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
import_module(module).Workspace(Path(root)).new_dataset(fill)
"""


def writing(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "rows").write_text(text)

    return fill


def test_a_new_data_set_is_named_by_its_content_and_the_latest(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, two = (workspace.new_dataset(writing(text)) for text in ("one", "two"))
    assert one.digest != two.digest
    assert workspace.dataset() == two
    assert workspace.dataset(one.digest).path.joinpath("rows").read_text() == "one"


def test_an_empty_pointer_is_no_data_set(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.new_dataset(writing("one"))
    (workspace.data / "latest").write_text("")
    with pytest.raises(UserError, match="There is no data yet"):
        workspace.dataset()


def test_what_a_kill_left_a_day_ago_is_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    old, new = workspace.data / ".partial-1", workspace.data / ".batch-2"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    kept = workspace.new_dataset(writing("one"))
    assert not old.exists()
    assert new.exists()
    assert kept.path.exists()


def test_the_same_content_is_kept_once_and_becomes_the_latest_again(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one, _, again = (workspace.new_dataset(writing(text)) for text in ("one", "two", "one"))
    assert one == again == workspace.dataset()
    assert len([path for path in workspace.data.iterdir() if path.is_dir()]) == 2


def test_the_name_of_a_file_is_part_of_the_digest(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    one = workspace.new_dataset(lambda folder: replace_text(folder / "a", "same"))
    two = workspace.new_dataset(lambda folder: replace_text(folder / "b", "same"))
    assert one.digest != two.digest


def test_a_failure_leaves_nothing_but_the_old_data_set(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    old = workspace.new_dataset(writing("old"))

    def fail(folder: Path) -> None:
        (folder / "rows").write_text("half")
        raise UserError("no more disk")

    with pytest.raises(UserError, match="no more disk"):
        workspace.new_dataset(fail)
    assert workspace.dataset() == old
    assert {path.name for path in workspace.data.iterdir()} == {old.digest, "latest"}


def test_a_kill_leaves_the_old_data_set(tmp_path: Path) -> None:
    old = Workspace(tmp_path).new_dataset(writing("old"))
    command = [sys.executable, "-c", KILLED_WHILE_FILLING, Workspace.__module__, str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == -9
    assert Workspace(tmp_path).dataset() == old
    new = Workspace(tmp_path).new_dataset(writing("new"))
    assert Workspace(tmp_path).dataset() == new


def test_without_data_the_sentence_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no data yet: run `ml data` first"):
        Workspace(tmp_path).dataset()


def test_a_data_set_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="The data set c0ffee is gone"):
        Workspace(tmp_path).dataset("c0ffee")


def test_a_text_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for text in ("old", "new"):
        replace_text(tmp_path / "deep" / "file", text)
    assert [path.read_text() for path in (tmp_path / "deep").iterdir()] == ["new"]


def at_once(project: Project, stage: str) -> list[str]:
    """Run a stage twice at once, as commands in the project's folder; give what each printed."""
    module = f"{PACKAGE}.{project.use_case.api.name}"
    command, root = [sys.executable, "-m", module, stage], project.workspace.root
    environment = {k: v for k, v in os.environ.items() if k.lower() not in Settings.model_fields}
    both = [
        subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    return printed


def aliases(project: Project) -> list[tuple[int, tuple[str, ...]]]:
    return [(version.number, version.aliases) for version in project.registry.versions()]


def test_of_two_promotes_at_once_one_crowns_and_the_other_sees_it(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    project = clone(retrained)
    printed = at_once(project, "promote")
    assert sorted("Version 2 is the champion already." in text for text in printed) == [False, True]
    assert aliases(project) == [(2, (CHALLENGER, CHAMPION)), (1, ())]
    pointer = project.store.pointer(CHAMPION)
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (2, (1,))
    assert project.store.load(CHAMPION)[0] == 2  # and verified


def test_two_trainings_at_once_give_two_whole_versions(
    trained: Path, clone: Callable[[Path], Project]
) -> None:
    project = clone(trained)
    (project.workspace.root / "optuna.db").unlink()  # so that they share a search too
    said = sorted(re.findall(r"Version (\d) is", "".join(at_once(project, "train"))))
    assert said == ["2", "3"]
    assert aliases(project) == [(3, (CHALLENGER,)), (2, ()), (1, (CHAMPION,))]
    registry = project.registry
    assert len({registry.bundle(version).manifest.test for version in registry.versions()}) == 1
    assert project.store.load(CHAMPION)[0] == 1


def test_who_has_the_lock_may_take_it_again(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with space.lock(), space.lock().acquire(timeout=0):
        assert space.lock().is_locked
