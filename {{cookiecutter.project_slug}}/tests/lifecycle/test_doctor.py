"""models and doctor say what there is and what is broken."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from project_package.errors import UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.project import Project
from project_package.lifecycle.doctor import doctor, models
from project_package.model_store import CHAMPION


@dataclass
class Shown:
    """A console that keeps its tables."""

    tables: list[Any] = field(default_factory=list)

    def table(self, *table: Any) -> None:
        self.tables.append(table)


def shown(project: Project) -> list[tuple[str, ...]]:
    """Give the rows of the one table that is shown."""
    console = Shown()
    models(replace(project, console=cast("Console", console)))
    ((title, header, rows),) = console.tables
    assert title == project.params.name
    assert all(len(row) == len(header) for row in rows)
    return cast("list[tuple[str, ...]]", rows)


def test_versions_are_shown_newest_first_with_score_and_data(
    retrained: Path, opened: Callable[[Path], Project]
) -> None:
    project = opened(retrained)
    new, old = shown(project)
    assert (new[:2], old[:2]) == (("2", "challenger"), ("1", "champion"))
    assert 0 < float(new[2]) <= 1
    assert new[4] == old[4] == project.workspace.dataset().digest


def test_a_version_that_was_not_evaluated_says_so(
    trained: Path, clone: Callable[[Path], Project]
) -> None:
    project = clone(trained)
    source = project.registry.client.get_model_version(project.params.name, "1").source
    with project.tracking.run("train") as run:
        project.registry.register(str(source), run.id)
    assert [row[2] == "not evaluated" for row in shown(project)] == [True, False]


def test_looking_mends_an_alias_that_a_kill_left_behind(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    project = clone(retrained)
    pointer = project.registry.store.pointer(CHAMPION)
    assert pointer is not None
    project.registry.store.point(CHAMPION, pointer.model_copy(update={"version": 2}))
    assert [row[1] for row in shown(project)] == ["challenger, champion", ""]


def examined(project: Project) -> tuple[dict[str, str], dict[str, str]]:
    """Give the state of each part, and what was found there."""
    console = Shown()
    with suppress(UserError):
        doctor(replace(project, console=cast("Console", console)))
    rows = console.tables[0][2]
    return {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


def broken(project: Project) -> dict[str, str]:
    """Give what was found where something is broken."""
    states, findings = examined(project)
    return {name: findings[name] for name, state in states.items() if state == "broken"}


@pytest.fixture
def copy(trained: Path, clone: Callable[[Path], Project]) -> Project:
    return clone(trained)


def test_a_finished_project_is_well(project: Project) -> None:
    states, findings = examined(project)
    assert set(states.values()) == {"ok"}
    assert "onnxruntime" in findings["versions"]
    assert project.workspace.dataset().digest in findings["data"]
    assert "version 1" in findings["champion"]


def test_missing_data_is_named(copy: Project) -> None:
    shutil.rmtree(copy.workspace.data)
    assert broken(copy) == {"data": "There is no data yet: run `ml data` first."}


def test_a_missing_champion_is_named(copy: Project) -> None:
    shutil.rmtree(copy.registry.store.address)
    assert broken(copy) == {
        "champion": f"There is no champion in {copy.settings.store(copy.workspace.root)}: "
        "run `ml pipeline` first."
    }


def test_a_damaged_champion_is_named(copy: Project) -> None:
    graph = Path(copy.registry.store.address, "versions", "1", "bundle", "model.onnx")
    graph.write_bytes(b"damaged")
    assert "model.onnx of this bundle was changed or damaged" in broken(copy)["champion"]


def test_a_store_that_cannot_be_used_is_named(copy: Project) -> None:
    elsewhere = copy.settings.model_copy(update={"model_store": "nowhere://models"})
    found = broken(replace(copy, settings=elsewhere))
    assert "The model store nowhere://models cannot be used" in found["champion"]
    assert not found.keys() & {"versions", "data"}


def test_a_tracking_server_that_cannot_be_used_is_named(copy: Project) -> None:
    elsewhere = copy.settings.model_copy(update={"mlflow_tracking_uri": "nowhere://server"})
    found = broken(replace(copy, settings=elsewhere))
    assert "MLflow at nowhere://server cannot be used" in found["tracking"]
    assert found.keys() == {"tracking"}


def test_a_state_and_keys_that_cannot_be_read_are_named(copy: Project, tmp_path: Path) -> None:
    state, keys = tmp_path / "state.db", tmp_path / "keys.json"
    settings = copy.settings.model_copy(update={"state_url": str(state), "serve_keys": str(keys)})
    project = replace(copy, settings=settings)
    findings = examined(project)[1]
    assert ("not there yet" in findings["state"], "none" in findings["keys"]) == (True, True)
    state.write_text("no database" * 100)
    keys.write_text("{")
    assert "state.db cannot be opened" in broken(project)["state"]
    assert "keys.json" in broken(project)["keys"]


def test_a_state_that_is_away_is_named(copy: Project) -> None:
    away = copy.settings.model_copy(update={"state_url": "redis://127.0.0.1:1/0"})
    assert "Connection refused" in broken(replace(copy, settings=away))["state"]
