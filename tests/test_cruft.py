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
from conftest import ANSWERS, PROGRAM, git


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


def recorded(project: Path) -> dict[str, str]:
    """Return the version and the commit of the template that made a project."""
    metadata: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())
    template: dict[str, str] = metadata["tool"]["template"]
    return template


def test_update_changes_the_recorded_version(versions: Path, tmp_path: Path) -> None:
    project = cruft.create(
        str(versions), output_dir=tmp_path, default_config=True, checkout="v7.0.0"
    )
    commit_all(project, "Start")
    assert recorded(project)["version"] == "7.0.0"
    assert cruft.update(project, checkout="v7.1.0", skip_apply_ask=True)
    assert recorded(project)["version"] == "7.1.0"
    assert "second>=2" in (project / "pyproject.toml").read_text()


def generate(template: str, folder: Path, *options: str) -> Path:
    """Generate a project with cookiecutter, and commit it."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", *options]
    done = subprocess.run(
        [*command, template, "project_name=Cards"],
        cwd=folder,
        env={**os.environ, "HOME": str(folder / "home"), "PWD": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    commit_all(folder / "cards", "Start")
    return folder / "cards"


def link(project: Path, template: Path) -> None:
    """Link a project as its README says, and commit it."""
    commit = recorded(project)["commit"]
    answers = {"project_name": "Cards"}
    assert cruft.link(
        str(template), project, checkout=commit, default_config=True, extra_context=answers
    )
    commit_all(project, "Link")


def test_project_of_a_version_can_be_linked_and_updated(versions: Path, tmp_path: Path) -> None:
    project = generate(f"git+file://{versions}", tmp_path, "--checkout", "v7.0.0")
    assert recorded(project)["version"] == "7.0.0"
    link(project, versions)
    assert cruft.update(project, checkout="v7.1.0", skip_apply_ask=True)
    assert recorded(project)["version"] == "7.1.0"
    assert not git(project, "diff", "--name-only", "--", "src")


@pytest.mark.parametrize("is_relative", [False, True])
def test_project_of_a_clone_without_tags_can_be_linked_and_updated(
    template: Path, tmp_path: Path, is_relative: bool
) -> None:
    made_by = git(template, "rev-parse", "HEAD").strip()
    address = os.path.relpath(template, tmp_path) if is_relative else str(template)
    project = generate(address, tmp_path)
    assert recorded(project) == {"version": ANSWERS["_version"], "commit": made_by}
    link(project, template)
    makefile = template / PROGRAM.name / "Makefile"
    makefile.write_text(makefile.read_text() + "# learned since\n")
    commit_all(template, "The template of today")
    assert cruft.update(project, skip_apply_ask=True)
    assert (project / "Makefile").read_text().endswith("# learned since\n")
    assert recorded(project)["commit"] == git(template, "rev-parse", "HEAD").strip()


@pytest.mark.usefixtures("author")
def test_template_without_a_repository_has_no_commit(copied_template: Path, tmp_path: Path) -> None:
    project = generate(str(copied_template), tmp_path)
    assert recorded(project)["commit"] == ""


def test_project_of_changed_files_says_so(template: Path, tmp_path: Path) -> None:
    (template / PROGRAM.name / "Makefile").write_text("# not committed\n")
    project = generate(str(template), tmp_path)
    assert recorded(project)["commit"] == f"{git(template, 'rev-parse', 'HEAD').strip()}-dirty"


def test_update_works_inside_another_repository(versions: Path, tmp_path: Path) -> None:
    around = tmp_path / "around"
    around.mkdir()
    git(around, "init", "--quiet")
    project = cruft.create(str(versions), output_dir=around, default_config=True, checkout="v7.0.0")
    commit_all(around, "Start")
    assert not (project / ".git").exists()
    assert cruft.update(project, checkout="v7.1.0", skip_apply_ask=True)
    assert recorded(project)["version"] == "7.1.0"
