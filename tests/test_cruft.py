"""`cruft update` brings changes of the template to a project with edits of its own."""

import json
import subprocess
from pathlib import Path

import cruft
import pytest


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def commit_all(folder: Path, message: str) -> None:
    """Commit everything in a folder."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@pytest.fixture
def template(copied_template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the template into a git repository of its own."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    git(copied_template, "init", "--quiet", "--initial-branch=main")
    commit_all(copied_template, "The template of last year")
    return copied_template


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """Generate a project with `cruft create` and edit it."""
    project: Path = cruft.create(str(template), output_dir=tmp_path, default_config=True)
    readme = project / "README.md"
    readme.write_text(readme.read_text() + "\n## Ours\n\nWritten by the team.\n")
    (project / "src" / "card_fraud_detection" / "ours.py").write_text('"""Ours."""\n')
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
    learned = project / "src" / "card_fraud_detection" / "learned.py"
    assert learned.read_text() == '"""card_fraud_detection."""\n'
    assert "Written by the team." in (project / "README.md").read_text()
    assert (project / "src" / "card_fraud_detection" / "ours.py").is_file()
    assert not (project / "CONTRIBUTING.md").exists()
    assert not list(project.rglob("*.rej"))
    assert cruft.check(project)
