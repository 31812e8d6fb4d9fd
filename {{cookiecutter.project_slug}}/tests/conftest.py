"""What several tests need: a small finished project of each use case."""

import os
import pkgutil
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # is read when the libraries are loaded

import pytest
from hypothesis import settings

import project_package
from project_package.contract import UseCase
from project_package.lifecycle.console import Console
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.params import read
from project_package.lifecycle.project import Project
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.train import train
from project_package.lifecycle.workspace import Workspace
from project_package.settings import Settings

pytest_plugins = ("databases", "servers", "states")  # which lie beside this file
HERE = Path(__file__).parent
PACKAGE = project_package.__name__
USE_CASES = [
    module.name
    for module in pkgutil.iter_modules(project_package.__path__)
    if module.ispkg and find_spec(f"{PACKAGE}.{module.name}.use_case")
]
LOCAL = Settings(mlflow_tracking_uri="", optuna_storage="", model_store="store")
settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the addresses of the environment and of a .env file away from the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        yield


@pytest.fixture(scope="session", params=USE_CASES)
def use_case(request: pytest.FixtureRequest) -> UseCase[Any, Any, Any, Any]:
    """Give each use case that the package holds: what needs this one runs for all."""
    module = import_module(f"{PACKAGE}.{request.param}.use_case")
    found: UseCase[Any, Any, Any, Any] = module.USE_CASE
    return found


@pytest.fixture(scope="session")
def opened(use_case: UseCase[Any, Any, Any, Any]) -> Callable[[Path], Project]:
    """Open the project of a folder; the one opened last is the one that MLflow works on."""

    def open_(root: Path) -> Project:
        params = read(use_case.params, root / "params.toml")
        return Project(use_case, params, Workspace(root), LOCAL, Console(quiet=True))

    return open_


@pytest.fixture(scope="session")
def trained(
    use_case: UseCase[Any, Any, Any, Any],
    opened: Callable[[Path], Project],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Run the whole pipeline once on tiny data: version 1 is the champion. Only read this one."""
    root = tmp_path_factory.mktemp("trained")
    shutil.copy(HERE / use_case.api.name / "tiny.toml", root / "params.toml")
    pipeline(opened(root))
    return root


@pytest.fixture(scope="session")
def retrained(
    trained: Path, opened: Callable[[Path], Project], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Train once more, with a new search: version 2 is the challenger. Only read this one."""
    root = _copy(trained, tmp_path_factory.mktemp("retrained") / "project")
    (root / "optuna.db").unlink()
    project = opened(root)
    train(project)
    evaluate(project)
    return root


@pytest.fixture
def project(trained: Path, opened: Callable[[Path], Project]) -> Project:
    """Open the trained project, to read."""
    return opened(trained)


@pytest.fixture
def clone(opened: Callable[[Path], Project], tmp_path: Path) -> Callable[[Path], Project]:
    """Copy a project's folder and open the copy."""
    numbers = count()
    return lambda root: opened(_copy(root, tmp_path / f"clone-{next(numbers)}"))


def _copy(root: Path, target: Path) -> Path:
    """Copy a project; MLflow's database holds absolute paths, which move along."""
    shutil.copytree(root, target)
    database = target / "mlflow.db"
    with closing(sqlite3.connect(database)) as old:
        script = "\n".join(old.iterdump()).replace(str(root), str(target))
    database.unlink()
    with closing(sqlite3.connect(database)) as new:
        new.executescript(script)
    return target
