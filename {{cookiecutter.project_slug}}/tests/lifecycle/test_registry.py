"""Champions come and go; a kill at any moment leaves the old one or the new one."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from project_package.bundle import unpack
from project_package.contract import Splits, length, take
from project_package.errors import UserError
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.registry import (
    BUNDLE,
    CHALLENGER,
    CHAMPION,
    Registry,
    Version,
)
from project_package.lifecycle.status import models
from project_package.settings import Settings
from project_package.store import Pointer, Store


@pytest.fixture
def registry(retrained: Path, clone: Callable[[Path], Project]) -> Registry:
    """Give one of two versions: 1 is the champion, 2 the challenger."""
    return clone(retrained).registry


def found(registry: Registry, which: int | str) -> Version:
    version = registry.find(which)
    assert version is not None
    return version


def pointer(registry: Registry) -> Pointer:
    found = registry.store.pointer(CHAMPION)
    assert found is not None
    return found


def test_versions_are_listed_newest_first_with_their_aliases(registry: Registry) -> None:
    versions = [(version.number, version.aliases) for version in registry.versions()]
    assert versions == [(2, (CHALLENGER,)), (1, (CHAMPION,))]
    assert registry.find(3) is registry.find("nobody") is None


def test_a_crowned_version_is_published_whole(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    published = registry.store.fetch(2, BUNDLE)
    assert published == registry.files(found(registry, 2), BUNDLE)
    assert pointer(registry).digest == unpack(published).digest
    assert registry.store.fetch(2, "evidence").keys() >= {"card.md", "report.html"}


def test_a_crown_remembers_who_wore_it_and_moves_the_alias(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    assert (pointer(registry).version, pointer(registry).previous) == (2, (1,))
    assert found(registry, CHAMPION).number == 2


def test_crowning_the_champion_again_changes_nothing(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    before = pointer(registry)
    registry.crown(found(registry, 2))
    assert pointer(registry) == before


def test_rollback_goes_to_the_champion_before_and_back_no_further(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    assert registry.rollback() == (2, 1)
    assert (pointer(registry).version, found(registry, CHAMPION).number) == (1, 1)
    with pytest.raises(UserError, match="There is no earlier champion"):
        registry.rollback()


def test_a_version_that_was_rolled_back_may_be_crowned_again(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    registry.rollback()
    registry.crown(found(registry, 2))
    assert (pointer(registry).version, pointer(registry).previous) == (2, (1,))


def test_a_rollback_to_a_damaged_version_is_refused(registry: Registry) -> None:
    registry.crown(found(registry, 2))
    graph = Path(registry.store.address, "versions", "1", BUNDLE, "model.onnx")
    graph.write_bytes(graph.read_bytes() + b"x")
    with pytest.raises(UserError, match=r"model\.onnx of this bundle was changed"):
        registry.rollback()
    assert pointer(registry).version == found(registry, CHAMPION).number == 2


def test_the_alias_follows_the_pointer(registry: Registry) -> None:
    moved = pointer(registry).model_copy(update={"version": 2})
    registry.store.point(CHAMPION, moved)
    assert found(registry, CHAMPION).number == 1
    registry.mend()
    assert found(registry, CHAMPION).number == 2


def test_a_store_that_knows_more_than_mlflow_is_told_in_words(registry: Registry) -> None:
    registry.store.point(CHAMPION, pointer(registry).model_copy(update={"version": 9}))
    with pytest.raises(UserError, match="version 9"):
        registry.mend()


def test_a_model_without_versions_has_none(registry: Registry, tmp_path: Path) -> None:
    other = Registry(registry.client, "other", Store(str(tmp_path / "other")))
    assert other.versions() == []
    with pytest.raises(UserError, match="There is no earlier champion"):
        other.rollback()


def test_a_version_that_was_not_evaluated_says_what_to_run(registry: Registry) -> None:
    unknown = registry.client.create_run("0").info.run_id
    with pytest.raises(UserError, match="Version 7 has no evaluation: run `ml evaluate`"):
        registry.evaluation(Version(7, unknown, 0, ()))


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


@pytest.mark.parametrize("stage", [evaluate, promote])
def test_other_test_rows_than_those_of_the_training_are_refused(
    retrained: Path, opened: Callable[[Path], Project], stage: Callable[[Project], object]
) -> None:
    project = opened(retrained)
    cut = project.use_case.split

    def other(params: Any, folder: Path) -> Splits:
        splits = cut(params, folder)
        as_many = np.maximum(np.arange(length(splits.test)), 1)
        return replace(splits, test=take(splits.test, as_many))

    changed = replace(project, use_case=replace(project.use_case, split=other))
    with pytest.raises(UserError, match="other test rows than the model was made beside"):
        stage(changed)


def test_a_store_of_other_models_with_the_same_numbers_is_refused(registry: Registry) -> None:
    registry.store.point(CHAMPION, Pointer(version=2, digest="another"))
    with pytest.raises(UserError, match="which MLflow does not know"):
        registry.mend()
    assert registry.find(CHAMPION) == registry.find(1)
