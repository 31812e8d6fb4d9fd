"""A finished project of the plain use case, which is trained in seconds, and a log to fill."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from plain import use_case
from projects import open_project

from project_package.lifecycle.project import Project
from project_package.prediction_log import PredictionLog
from project_package.serving.app import create_app
from project_package.settings import Settings


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], Project]:
    return partial(open_project, use_case)


@pytest.fixture(scope="session")
def trained(plain_root: Path) -> Path:
    return plain_root


@pytest.fixture
def copy(trained: Path, clone: Callable[[Path], Project]) -> Project:
    """Return a copy of the finished project, to write to."""
    return clone(trained)


@pytest.fixture
def client(copy: Project) -> Iterator[TestClient]:
    """Serve the copy, without keys, with its prediction log."""
    settings = replace_settings(copy)
    with TestClient(create_app(use_case.make_task, settings, copy.workspace.root)) as opened:
        yield opened


def replace_settings(project: Project) -> Settings:
    return project.settings.model_copy(update={"serve_keys": "off", "serve_poll_seconds": 0.05})


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PredictionLog]:
    with closing(PredictionLog(f"sqlite:///{tmp_path / 'p.db'}", b"k" * 32, 90)) as opened:
        yield opened
