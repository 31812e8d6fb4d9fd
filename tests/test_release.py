"""The version of the template is the one that the changelog and a release have."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ANSWERS, PROGRAM, TEMPLATE

VERSION = ANSWERS["_version"]
CHANGELOG = (TEMPLATE / "CHANGELOG.md").read_text(encoding="utf-8")
HEADS = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML file."""
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def test_newest_section_of_the_changelog_is_the_version() -> None:
    unreleased, newest, *_ = HEADS
    assert unreleased == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(VERSION)}\] - \d{{4}}-\d\d-\d\d", newest)


def test_changelog_has_each_version_once_and_newest_first() -> None:
    versions = [tuple(map(int, re.findall(r"\d+", head.split(" - ")[0]))) for head in HEADS[1:]]
    assert versions == sorted(set(versions), reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert {*re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)} <= kinds


@pytest.fixture
def release(tmp_path: Path) -> dict[str, str]:
    """Return an environment for the step that releases, with a `gh` that writes what it gets."""
    for name in ("CHANGELOG.md", "cookiecutter.json"):
        (tmp_path / name).write_bytes((TEMPLATE / name).read_bytes())
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(changelog.read_text() + "\n## [0.0.1] - 2020-01-01\n\nOlder.\n")
    (tmp_path / "gh").write_text('#!/bin/sh\necho "$@" > arguments\n')
    (tmp_path / "gh").chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def run_release(folder: Path, environment: dict[str, str], tag: str) -> int:
    """Run the step of the workflow that makes the release, and return its exit code."""
    workflow = read_yaml(TEMPLATE / ".github" / "workflows" / "release.yml")
    script = workflow["jobs"]["release"]["steps"][-1]["run"]
    shell = ["bash", "-e", "-c", script]
    environment = {**environment, "GITHUB_REF_NAME": tag}
    return subprocess.run(shell, cwd=folder, env=environment, check=False).returncode


def test_release_has_the_section_of_its_version(tmp_path: Path, release: dict[str, str]) -> None:
    assert run_release(tmp_path, release, f"v{VERSION}") == 0
    assert (tmp_path / "arguments").read_text().startswith(f"release create v{VERSION} ")
    notes = (tmp_path / "notes.md").read_text()
    section = CHANGELOG.split("\n## ")[2]
    assert notes.strip() == section.partition("\n")[2].strip() != ""


def test_tag_of_another_version_is_not_released(tmp_path: Path, release: dict[str, str]) -> None:
    assert run_release(tmp_path, release, "v999.0.0") == 1
    assert not (tmp_path / "arguments").exists()


def test_release_runs_on_version_tags_after_the_tests() -> None:
    workflow = read_yaml(TEMPLATE / ".github" / "workflows" / "release.yml")
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML reads `on` as true
    assert workflow["jobs"]["release"]["needs"] == "test"


@pytest.mark.parametrize("folder", [TEMPLATE, PROGRAM], ids=["template", "program"])
def test_dependabot_watches_folders_that_exist(folder: Path) -> None:
    updates = read_yaml(folder / ".github" / "dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"github-actions", "uv"}
    assert all((folder / update["directory"].lstrip("/")).is_dir() for update in updates)
