"""The version of the template is the one that the changelog and a release have."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ANSWERS, PROGRAM, TEMPLATE
from packaging.version import Version

VERSION = ANSWERS["_version"]
CHANGELOG = (TEMPLATE / "CHANGELOG.md").read_text(encoding="utf-8")
HEADS = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Read a YAML file."""
    document: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def test_version_is_that_of_the_changelog_or_the_next_in_development() -> None:
    unreleased, newest, *_ = HEADS
    assert unreleased == "[Unreleased]"
    released, _, date = newest.partition(" - ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    assert released.strip("[]") == VERSION or VERSION.endswith(".dev0")
    assert Version(VERSION) >= Version(released.strip("[]"))


def test_changelog_has_each_version_once_and_newest_first() -> None:
    versions = [tuple(map(int, re.findall(r"\d+", head.split(" - ")[0]))) for head in HEADS[1:]]
    assert versions == sorted(set(versions), reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert {*re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)} <= kinds


def run_release(folder: Path, version: str, tag_exists: bool = False) -> int:
    """Run the step that makes the release; return its exit code.

    Its `gh` writes what it gets, its `git` says whether the tag exists.
    """
    answers = {"_version": version}
    (folder / "cookiecutter.json").write_text(json.dumps(answers))
    (folder / "CHANGELOG.md").write_text(f"{CHANGELOG}\n## [0.0.1] - 2020-01-01\n\nOlder.\n")
    (folder / "gh").write_text('#!/bin/sh\necho "$@" > arguments\n')
    (folder / "git").write_text(f"#!/bin/sh\nexit {0 if tag_exists else 2}\n")
    for command in ("gh", "git"):
        (folder / command).chmod(0o755)
    workflow = read_yaml(TEMPLATE / ".github" / "workflows" / "release.yml")
    script = workflow["jobs"]["release"]["steps"][-1]["run"]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GITHUB_SHA": "1234abc"}
    shell = ["bash", "-e", "-c", script]
    return subprocess.run(shell, cwd=folder, env=environment, check=False).returncode


def test_release_has_a_tag_and_the_section_of_its_version(tmp_path: Path) -> None:
    version = HEADS[1].partition("]")[0].strip("[")
    assert run_release(tmp_path, version) == 0
    arguments = (tmp_path / "arguments").read_text()
    assert arguments.startswith(f"release create v{version} --target 1234abc ")
    notes = (tmp_path / "notes.md").read_text()
    section = CHANGELOG.split("\n## ")[2]
    assert notes.strip() == section.partition("\n")[2].strip() != ""


@pytest.mark.parametrize(("version", "tag_exists"), [("0.2.0.dev0", False), ("0.0.1", True)])
def test_other_versions_are_not_released(tmp_path: Path, version: str, tag_exists: bool) -> None:
    assert run_release(tmp_path, version, tag_exists) == 1
    assert not (tmp_path / "arguments").exists()


def test_release_is_started_by_hand_and_made_after_the_tests() -> None:
    workflow = read_yaml(TEMPLATE / ".github" / "workflows" / "release.yml")
    assert workflow[True] == "workflow_dispatch"  # YAML reads `on` as true
    assert workflow["jobs"]["release"]["needs"] == "test"


def test_address_of_the_published_template_is_in_one_place() -> None:
    folders = (TEMPLATE / name for name in ("benchmarks", "docs", PROGRAM.name))
    texts = [*TEMPLATE.glob("*.md"), *(path for each in folders for path in each.rglob("*.md"))]
    found = {path: re.findall(r" gh:(\S+)", path.read_text("utf-8")) for path in texts}
    assert [path for path in texts if found[path]] == [TEMPLATE / "README.md"]
    assert re.fullmatch(r"[\w-]+/cookiecutter-ai-engineer", *found[TEMPLATE / "README.md"])


@pytest.mark.parametrize(
    ("folder", "more"),
    [(TEMPLATE, set()), (PROGRAM, {"docker-compose"})],
    ids=["template", "program"],
)
def test_dependabot_watches_folders_that_exist(folder: Path, more: set[str]) -> None:
    updates = read_yaml(folder / ".github" / "dependabot.yml")["updates"]
    watched = {update["package-ecosystem"] for update in updates}
    assert watched == {"github-actions", "uv"} | more
    assert all((folder / update["directory"].lstrip("/")).is_dir() for update in updates)
