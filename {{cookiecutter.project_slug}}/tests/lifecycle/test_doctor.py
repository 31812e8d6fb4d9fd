"""Doctor names each part that is broken, and goes on to the next."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from project_package.lifecycle.console import Console
from project_package.lifecycle.doctor import doctor
from project_package.lifecycle.project import Project


@dataclass
class Shown:
    """A console that keeps its tables."""

    tables: list[Any] = field(default_factory=list)

    def table(self, *table: Any) -> None:
        self.tables.append(table)


def examined(project: Project) -> tuple[bool, dict[str, str], dict[str, str]]:
    """Give the verdict, the state of each part, and what was found there."""
    console = Shown()
    well = doctor(replace(project, console=cast("Console", console)))
    rows = console.tables[0][2]
    return well, {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}


def broken(project: Project) -> dict[str, str]:
    """Give what was found where something is broken."""
    well, states, findings = examined(project)
    assert not well
    return {name: findings[name] for name, state in states.items() if state == "broken"}


@pytest.fixture
def copy(trained: Path, clone: Callable[[Path], Project]) -> Project:
    return clone(trained)


def test_a_finished_project_is_well(project: Project) -> None:
    well, states, findings = examined(project)
    assert well
    assert set(states.values()) == {"ok"}
    assert "onnxruntime" in findings["versions"]
    assert project.workspace.dataset().digest in findings["data"]
    assert "version 1" in findings["champion"]


def test_missing_data_is_named(copy: Project) -> None:
    shutil.rmtree(copy.workspace.data)
    assert broken(copy) == {"data": "There is no data yet: run `ml data` first."}


def test_a_missing_champion_is_named(copy: Project) -> None:
    shutil.rmtree(copy.registry.store.address)
    assert broken(copy) == {"champion": "There is no champion yet: run `ml pipeline`."}


def test_a_damaged_champion_is_named(copy: Project) -> None:
    graph = Path(copy.registry.store.address, "versions", "1", "bundle", "model.onnx")
    graph.write_bytes(b"damaged")
    assert "model.onnx of this bundle was changed or damaged" in broken(copy)["champion"]


def test_a_store_that_cannot_be_used_is_named(copy: Project) -> None:
    elsewhere = copy.settings.model_copy(update={"model_store": "nowhere://models"})
    found = broken(replace(copy, settings=elsewhere))
    assert "The model store nowhere://models cannot be used" in found["store"]
    assert not found.keys() & {"versions", "data"}


def test_a_tracking_server_that_cannot_be_used_is_named(copy: Project) -> None:
    elsewhere = copy.settings.model_copy(update={"mlflow_tracking_uri": "nowhere://server"})
    found = broken(replace(copy, settings=elsewhere))
    assert "MLflow at nowhere://server cannot be used" in found["tracking"]
    assert found.keys() == {"tracking"}
