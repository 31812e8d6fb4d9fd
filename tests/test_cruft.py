"""`cruft update` brings changes of the template to a project with edits of its own."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import cruft
import pytest
from conftest import git


def commit_all(folder: Path, message: str) -> None:
    """Commit everything in a folder."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture
def template(copied_template: Path, author: None) -> Path:  # noqa: ARG001
    """Copy the template into a git repository of its own."""
    git(copied_template, "init", "--quiet", "--initial-branch=main")
    commit_all(copied_template, "The template of last year")
    return copied_template


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """Generate a project with `cruft create` and edit it."""
    project: Path = cruft.create(str(template), output_dir=tmp_path, default_config=True)
    readme = project / "README.md"
    readme.write_text(readme.read_text() + "\n## Ours\n\nWritten by the team.\n")
    (project / "src" / "tabular_model" / "ours.py").write_text('"""Ours."""\n')
    (project / "CONTRIBUTING.md").unlink()
    commit_all(project, "Ours")
    return project


def test_create_records_where_the_project_came_from(project: Path, template: Path) -> None:
    state = json.loads((project / ".cruft.json").read_text())
    assert state["commit"] == git(template, "rev-parse", "HEAD").strip()
    assert cruft.check(project)


def test_update_brings_changes_and_keeps_edits(project: Path, template: Path) -> None:
    program = template / "{{cookiecutter.project_slug}}"
    makefile = program / "Makefile"
    makefile.write_text(makefile.read_text() + "# learned since\n")
    (program / "src" / "project_package" / "learned.py").write_text('"""project_package."""\n')
    commit_all(template, "The template of today")

    assert not cruft.check(project)
    assert cruft.update(project, skip_apply_ask=True)

    assert (project / "Makefile").read_text().endswith("# learned since\n")
    learned = project / "src" / "tabular_model" / "learned.py"
    assert learned.read_text() == '"""tabular_model."""\n'
    assert "Written by the team." in (project / "README.md").read_text()
    assert (project / "src" / "tabular_model" / "ours.py").is_file()
    assert not (project / "CONTRIBUTING.md").exists()
    assert not list(project.rglob("*.rej"))
    assert cruft.check(project)


@pytest.fixture
def versions(template: Path) -> Path:
    """Tag two versions of the template; the second one has another requirement and module."""
    for number, requirement in (("7.0.0", "first>=1"), ("7.1.0", "second>=2")):
        sheet = template / "cookiecutter.json"
        answers = json.loads(sheet.read_text())
        answers["_version"] = number
        answers["_use_cases"]["tabular"]["serving"] = [requirement]
        sheet.write_text(json.dumps(answers))
        commit_all(template, f"Release {number}")
        git(template, "tag", f"v{number}")
    git(template, "commit", "--quiet", "--allow-empty", "--message", "Unreleased")
    return template


def recorded(project: Path) -> tuple[str, str]:
    """Return the version that made a project, and its last requirement."""
    metadata: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())
    requirement: str = metadata["project"]["dependencies"][-1]
    return metadata["tool"]["template"]["version"], requirement


def test_update_changes_the_recorded_version(versions: Path, tmp_path: Path) -> None:
    project = cruft.create(
        str(versions), output_dir=tmp_path, default_config=True, checkout="v7.0.0"
    )
    commit_all(project, "Start")
    assert recorded(project) == ("7.0.0", "first>=1")
    assert cruft.update(project, checkout="v7.1.0", skip_apply_ask=True)
    assert recorded(project) == ("7.1.0", "second>=2")


def test_cookiecutter_and_link_name_a_version(versions: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--checkout", "v7.0.0"]
    done = subprocess.run(
        [*command, f"git+file://{versions}", "project_name=Cards"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    project = tmp_path / "cards"
    assert recorded(project) == ("7.0.0", "first>=1")
    commit_all(project, "Start")
    answers = {"project_name": "Cards"}
    assert cruft.link(
        str(versions), project, checkout="v7.0.0", default_config=True, extra_context=answers
    )
    commit_all(project, "Link")
    assert cruft.update(project, checkout="v7.1.0", skip_apply_ask=True)
    assert recorded(project) == ("7.1.0", "second>=2")
    assert not git(project, "diff", "--name-only", "--", "src")


def test_update_works_inside_another_repository(versions: Path, tmp_path: Path) -> None:
    around = tmp_path / "around"
    around.mkdir()
    git(around, "init", "--quiet")
    project = cruft.create(str(versions), output_dir=around, default_config=True, checkout="v7.0.0")
    commit_all(around, "Start")
    assert not (project / ".git").exists()
    assert cruft.update(project, checkout="v7.1.0", skip_apply_ask=True)
    assert recorded(project) == ("7.1.0", "second>=2")
