"""Fixtures for all tests: a small finished project of each use case."""

import gc
import os
import pkgutil
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # is read when the libraries are loaded

import pytest
from hypothesis import settings
from projects import copy_project, made_once, open_project, run_plain, train_again

import project_package
from project_package.cli import EntryPoint
from project_package.contract.training import Training
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.project import Project
from project_package.read_params import read_params
from project_package.settings import Settings

# Modules of this folder; projects without an event store lack the last two.
PLUGINS = (
    "browsers",
    "champions",
    "databases",
    "servers",
    "spans",
    "dask_nodes",
    "redis_server",
    "states",
)
pytest_plugins = [name for name in PLUGINS if find_spec(name)]
HERE = Path(__file__).parent
PACKAGE = project_package.__name__
USE_CASES = [
    module.name
    for module in pkgutil.iter_modules(project_package.__path__)
    if module.ispkg and find_spec(f"{PACKAGE}.{module.name}.entry_point")
]
SYSTEM = {"trained", "started", "dask", "several", "postgres", "redis", "start_redis"}
"""Fixtures that train a model or start a program."""
CHECKED = "tabular"
"""The use case whose checklist and cluster `make test` runs; `make test-all` runs those of each."""
settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests that `make test-quick` leaves out; some of all use cases take minutes."""
    for item in items:
        if SYSTEM & {*item.fixturenames}:
            item.add_marker("system")
        callspec = getattr(item, "callspec", None)
        in_another = callspec and callspec.params.get("use_case", CHECKED) != CHECKED
        if in_another and (item.path.parent.name == "checklist" or "dask" in item.fixturenames):
            item.add_marker("slow")
        if item.path.stem == "test_cluster" and CHECKED not in USE_CASES:
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def _isolated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep addresses of the environment and of a .env file out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("nowhere"))
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        yield
    gc.unfreeze()  # a server calls `gc.freeze`, and DuckDB reports what is left at the end as leaks


@pytest.fixture(scope="session", params=USE_CASES)
def use_case(request: pytest.FixtureRequest) -> str:
    """Return the name of each use case: tests that use it run for all."""
    return str(request.param)


@pytest.fixture(scope="session")
def untrained(use_case: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a project before its first stage. Do not write to it."""
    root = tmp_path_factory.mktemp("untrained")
    for path in (HERE / use_case).glob("*.toml"):
        shutil.copy(path, root / path.name.replace("tiny", "params"))
    return root


@pytest.fixture(scope="session")
def entry(use_case: str) -> EntryPoint:
    """Return the entry point of the use case."""
    found: EntryPoint = import_module(f"{PACKAGE}.{use_case}.entry_point").ENTRY
    return found


@pytest.fixture(scope="session")
def training(use_case: str, untrained: Path) -> Training:
    module = import_module(f"{PACKAGE}.{use_case}.training")
    parameters = read_params(module.PARAMS, untrained / "params.toml")
    found: Training = module.make_training(parameters, untrained)
    return found


@pytest.fixture(scope="session")
def opened(use_case: str) -> Callable[[Path], Project]:
    """Return what opens the project of a folder."""
    return partial(open_project, import_module(f"{PACKAGE}.{use_case}.training"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of pytest-xdist share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def trained(
    use_case: str, untrained: Path, opened: Callable[[Path], Project], shared: Path
) -> Path:
    """Run the pipeline once on tiny data: version 1 is the champion. Do not write to it."""
    root = shared / f"trained-{use_case}"
    with made_once(root) as is_new:
        if is_new:
            shutil.copytree(untrained, root, dirs_exist_ok=True)
            pipeline(opened(root))
    return root


@pytest.fixture(scope="session")
def retrained(
    use_case: str, trained: Path, opened: Callable[[Path], Project], shared: Path
) -> Path:
    """Train again, in two processes: version 2 is the challenger. Do not write to it."""
    root = shared / f"retrained-{use_case}"
    with made_once(root) as is_new:
        if is_new:
            train_again(opened(copy_project(trained, root)), processes=2)
    return root


@pytest.fixture(scope="session")
def plain_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the pipeline of the plain use case, which takes seconds. Do not write to it."""
    return run_plain(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def project(trained: Path, opened: Callable[[Path], Project]) -> Project:
    """Open the trained project, to read."""
    return opened(trained)


@pytest.fixture
def clone(opened: Callable[[Path], Project], tmp_path: Path) -> Callable[[Path], Project]:
    """Return what copies a project's folder and opens the copy."""
    numbers = count()
    return lambda root: opened(copy_project(root, tmp_path / f"clone-{next(numbers)}"))
