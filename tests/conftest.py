"""Generate projects for the tests, and skip tests that need a program the machine lacks."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent
PROGRAM = TEMPLATE / "{{cookiecutter.project_slug}}"
ANSWERS: dict[str, Any] = json.loads((TEMPLATE / "cookiecutter.json").read_text())
USE_CASES: list[str] = ANSWERS["use_case"]

Bake = Callable[..., Path]


def bake_from(template: Path, folder: Path, overwrite: bool = False, **answers: str) -> Path:
    """Generate a project from answers, the others being defaults; return its folder."""
    project = cookiecutter(
        str(template),
        no_input=True,
        default_config=True,
        output_dir=str(folder),
        overwrite_if_exists=overwrite,
        extra_context=answers,
    )
    return Path(project)


def cookiecutter_command(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run cookiecutter as a person does; the output has what it prints, errors included."""
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", "--default-config", *arguments],
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def require(tool: str, why: str) -> None:
    """Skip the test on a machine without a program; with CI=true, fail it."""
    if not shutil.which(tool):
        reason = f"`{tool}` is missing: {why}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def offline(*command: str) -> tuple[str, ...]:
    """Return a command that runs another in a network namespace with loopback only.

    The namespace has its own processes too: those that the command starts end with it.
    """
    isolated = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    loopback = 'ip link set lo up && exec "$@"'
    return ("unshare", *user, *isolated, "sh", "-c", loopback, "sh", *command)


@cache
def why_not_offline() -> str:
    """Return why this machine cannot cut the network; empty if it can."""
    for tool, package in (("unshare", "util-linux"), ("ip", "iproute2")):
        if not shutil.which(tool):
            return f"`{tool}` is missing, which cuts the network: install {package}"
    done = subprocess.run(offline("true"), capture_output=True, text=True, check=False)
    return done.stderr.strip() and f"the network cannot be cut: {done.stderr.strip()}"


def texts(folder: Path) -> dict[Path, str]:
    """Return the text of every file of a fresh project, by its path."""
    return {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


@pytest.fixture
def author(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set an author for commits."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")


@pytest.fixture
def needs_namespaces() -> None:
    """Skip the test where the network cannot be cut; with CI=true, fail it."""
    if reason := why_not_offline():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@pytest.fixture
def bake(tmp_path: Path) -> Bake:
    """Return a function that generates a project in the test's own folder."""
    return lambda **answers: bake_from(TEMPLATE, tmp_path, **answers)


@pytest.fixture
def copied_template(tmp_path: Path) -> Path:
    """Copy the template, so that a test can change it."""
    copy = tmp_path / "template"
    skipped = shutil.ignore_patterns(".git", ".venv", ".uv", "build", "__pycache__", ".*_cache")
    shutil.copytree(TEMPLATE, copy, ignore=skipped)
    return copy
