"""The table of versions, with an alias that follows the store."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from project_package.lifecycle.console import Console
from project_package.lifecycle.models import models
from project_package.lifecycle.project import Project
from project_package.lifecycle.registry import CHAMPION


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
