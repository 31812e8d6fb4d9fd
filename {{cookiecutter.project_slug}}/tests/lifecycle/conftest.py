"""A finished project of the plain use case, which is trained in seconds.

What holds for one use case holds for all here; test_contract.py looks at the project's own.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from plain import use_case
from projects import copy_project, open_project, train_again

from project_package.contract.training import Training
from project_package.lifecycle.project import Project


@pytest.fixture(scope="session")
def training(trained: Path) -> Training:
    return open_project(use_case, trained).training


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], Project]:
    return partial(open_project, use_case)


@pytest.fixture(scope="session")
def trained(plain_root: Path) -> Path:
    return plain_root


@pytest.fixture(scope="session")
def retrained(
    trained: Path, opened: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    root = copy_project(trained, tmp_path_factory.mktemp("plain-again") / "project")
    train_again(opened(root))
    return root


@pytest.fixture
def copy(trained: Path, clone: Callable[[Path], Project]) -> Project:
    """Return a copy of the finished project, to write to."""
    return clone(trained)


@pytest.fixture
def candidate(retrained: Path, clone: Callable[[Path], Project]) -> Project:
    """Return a copy in which version 2 is the challenger, to write to."""
    return clone(retrained)
