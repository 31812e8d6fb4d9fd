"""models and doctor print what there is, and what is broken."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from projects import with_age

from project_package.errors import UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.doctor import doctor
from project_package.lifecycle.list_versions import list_versions
from project_package.lifecycle.project import Project
from project_package.lifecycle.scores import DASH


@dataclass
class Recorder:
    """A console that keeps the rows of its last table."""

    rows: list[Any] = field(default_factory=list)

    def table(self, _: str, header: tuple[str, ...], rows: list[Any]) -> None:
        assert all(len(row) == len(header) for row in rows)
        self.rows = rows


def printed(command: Callable[[Project], object], project: Project) -> list[Any]:
    """Return the rows of the table that a command prints."""
    console = Recorder()
    with suppress(UserError):
        command(replace(project, console=cast("Console", console)))
    return console.rows


def broken(project: Project) -> dict[str, str]:
    """Return the findings of the parts that are broken."""
    rows = printed(doctor, project)
    return {name: finding for name, status, finding in rows if status == "broken"}


def test_models_are_listed_with_score_and_data(
    retrained: Path, opened: Callable[[Path], Project]
) -> None:
    project = opened(retrained)
    new, old = printed(list_versions, project)
    assert (new[:2], old[:2]) == (("2", "challenger"), ("1", "champion"))
    assert 0 < float(new[2]) <= 1
    assert new[4] == old[4] == project.workspace.dataset().digest


def test_models_are_listed_with_commit_and_changes(copy: Project) -> None:
    (version,) = copy.registry.versions()
    copy.registry.client.set_tag(version.run, "mlflow.source.git.commit", "c0ffee42" * 5)
    for dirty, shown in (("False", "c0ffee42"), ("True", "c0ffee42-dirty")):
        copy.registry.client.set_tag(version.run, "mlflow.source.git.dirty", dirty)
        assert printed(list_versions, copy)[0][5] == shown


def test_model_without_evaluation_is_listed(copy: Project) -> None:
    source = copy.registry.client.get_model_version(copy.params.name, "1").source
    with copy.tracking.run("train", "") as run:
        copy.registry.client.create_model_version(copy.params.name, str(source), run)
    assert [row[2] == DASH for row in printed(list_versions, copy)] == [True, False]


def test_finished_project_is_in_order(project: Project) -> None:
    findings = {name: finding for name, _, finding in printed(doctor, project)}
    assert broken(project) == {}
    assert project.workspace.dataset().digest in findings["data"]
    assert "version 1" in findings["champion"]
    assert findings["events"] == "not used: no feature reads earlier events"
    assert findings["keys"].endswith("none, add one with `ml key NAME --scope predict`")


def test_missing_parts_are_named(copy: Project) -> None:
    shutil.rmtree(copy.workspace.data)
    shutil.rmtree(copy.store.address)
    (copy.workspace.root / "keys.json").write_text("{")
    found = broken(copy)
    assert found["data"] == "There is no data yet: run `ml data` first."
    assert found["champion"].startswith(f"There is no champion in {copy.store.address}: run")
    assert "keys.json cannot be read" in found["keys"]


def test_damaged_champion_is_named(copy: Project) -> None:
    Path(copy.store.address, "versions", "1", "bundle", "weights.json").write_bytes(b"damaged")
    assert "weights.json of this bundle was changed or damaged" in broken(copy)["champion"]


def test_champion_of_other_code_is_named(project: Project) -> None:
    fields = "Version 1 was trained with other request fields than the code has now (age: Field req"
    assert broken(with_age(project))["champion"].startswith(fields)
    make_task = project.training.make_task
    mute = replace(
        project.training, make_task=lambda b: replace(make_task(b), to_rows=lambda _: {})
    )
    found = broken(replace(project, training=mute))["champion"]
    assert found.startswith("Version 1 cannot answer its examples: ")


@pytest.mark.parametrize(
    ("setting", "part", "sentence"),
    [
        ("model_store", "champion", "The model store nowhere://a cannot be used"),
        ("mlflow_tracking_uri", "tracking", "MLflow at nowhere://a cannot be used"),
        ("optuna_storage", "search", "The search database nowhere://a cannot be used"),
    ],
)
def test_unusable_address_is_named(copy: Project, setting: str, part: str, sentence: str) -> None:
    settings = copy.settings.model_copy(update={setting: "nowhere://me:secret@a"})
    found = broken(replace(copy, settings=settings))
    assert found[part].startswith(sentence)
    assert "secret" not in found[part]
    assert not found.keys() & {"data", "keys"}


def test_brackets_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    Console().table("doctor", ("path",), [("/home/[user]/[/end]",)])
    assert "/home/[user]/[/end]" in capsys.readouterr().out
