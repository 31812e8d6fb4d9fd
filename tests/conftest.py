"""Generate projects for the tests, and read them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cookiecutter.main import cookiecutter
from machine import missing, why_not_offline

TEMPLATE = Path(__file__).resolve().parent.parent
PROGRAM = TEMPLATE / "{{cookiecutter.project_slug}}"
ANSWERS: dict[str, Any] = json.loads((TEMPLATE / "cookiecutter.json").read_text())
USE_CASES: list[str] = ANSWERS["use_case"]

Bake = Callable[..., Path]
SLOWEST = (
    "::TestContracts",
    "::TestInspection",
    "::TestSessions",
    "::TestSupport",
    "/test_containers",
    "/test_matrix",
    "/test_airflow",
    "/test_kubernetes_pods",
    "/test_cloud_storage",
    "/test_own_table",
    "/test_project",
)
"""Parts of the ids of tests that train models, those that take longest first."""


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


def texts(folder: Path) -> dict[Path, str]:
    """Return the text of every file of a fresh project, by its path."""
    return {
        path.relative_to(folder): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".git" not in path.parts and path.suffix != ".png"
    }


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the slowest tests, so that no process waits for another one at the end."""
    items.sort(key=lambda item: [part not in item.nodeid for part in SLOWEST])


@pytest.fixture(scope="session", autouse=True)
def _mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copy the cache of `make check` for mypy in projects: reading libraries takes half a minute.

    Each process has its own copy, because two runs of mypy at once cannot share a cache.
    """
    cache, copy = TEMPLATE / "build" / "mypy", tmp_path_factory.getbasetemp() / "mypy"
    if cache.is_dir():
        shutil.copytree(cache, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPY_CACHE_DIR", str(copy))
        yield


@pytest.fixture(scope="session")
def engine_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a Docker Engine that the processes of a run share.

    Its path is short: those of sockets have at most 104 characters.
    """
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "engine"


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
        missing(reason)


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
