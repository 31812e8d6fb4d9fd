"""What several tests need: a small finished project of each use case, databases and servers."""

import os
import pkgutil
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # is read when the libraries are loaded

import httpx
import numpy as np
import pytest
import uvicorn
from hypothesis import settings
from redis import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError

import project_package
from project_package.contract import Columns, UseCase
from project_package.keys import SCOPES, add
from project_package.lifecycle.console import Console
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.params import read
from project_package.lifecycle.project import Project
from project_package.lifecycle.stages import pipeline
from project_package.lifecycle.train import train
from project_package.lifecycle.workspace import Workspace
from project_package.predictor import Predictor
from project_package.serving.app import create_app
from project_package.settings import Settings
from project_package.state import State

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
POSTGRESQL = Path("/usr/lib/postgresql")  # where Debian puts it
PASSWORD = "not-to-be-seen"  # noqa: S105  of a server that lives as long as the tests


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


class Watched(Predictor[Any, Any, Any]):
    """A predictor that keeps the features that it was asked with."""

    seen: list[Columns]

    def predict(self, features: Columns) -> Columns:
        self.seen.append(features)
        return super().predict(features)


@dataclass(frozen=True)
class Served:
    """A server that was asked over HTTP, and the features that it computed."""

    client: httpx.Client
    seen: list[Columns]

    def post(self, route: str, rows: list[dict[str, Any]]) -> Any:
        """Post rows and give the answer, which must be one."""
        key = "instances" if route == "predict" else route
        answer = self.client.post(f"/v1/{route}", json={key: rows})
        answer.raise_for_status()
        return answer.json()

    def features(self) -> Columns:
        """Give the features of all instances, in the order in which they came."""
        return {name: np.concatenate([part[name] for part in self.seen]) for name in self.seen[0]}


@pytest.fixture
def served(project: Project, tmp_path: Path) -> Iterator[Served]:
    """Serve on a free loopback port, with an empty state."""
    state = State(tmp_path / "state.db", project.use_case.api.memory)
    app = create_app(project.use_case.api, project.registry.store, state)
    champion = app.state.services.champion
    watched = Watched(champion.served.predictor.bundle, project.use_case.api)
    watched.seen = []
    object.__setattr__(champion.served, "predictor", watched)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with httpx.Client(base_url=url, timeout=60) as client:
        yield Served(client, watched.seen)
    server.should_exit = True
    thread.join()


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a server on a free loopback port; give the address of its empty database."""
    programs = sorted(POSTGRESQL.glob("*/bin"))
    if not programs:
        _leave_out(f"there is no PostgreSQL in {POSTGRESQL}: apt-get install postgresql")
    with (
        TemporaryDirectory(prefix="postgres-") as name,
        socket.create_server(("127.0.0.1", 0)) as s,
    ):
        folder, port = Path(name), s.getsockname()[1]
        s.close()
        (folder / "password").write_text(PASSWORD)
        _run(folder, programs[-1] / "initdb", "--username=reader", "--auth=scram-sha-256",
             f"--pwfile={folder / 'password'}", "--no-sync", "--encoding=UTF8")  # fmt: skip
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -F"
        control = programs[-1] / "pg_ctl"
        _run(folder, control, "start", "--wait", f"--log={folder / 'log'}", f"--options={options}")
        try:
            yield f"postgresql://reader:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            _run(folder, control, "stop", "--wait", "--mode=immediate")


StartRedis: TypeAlias = Callable[[Path, int], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def start_redis() -> StartRedis:
    """Give what runs a Redis that forgets nothing: on a folder and a loopback port."""
    if shutil.which("redis-server") is None:
        _leave_out("there is no redis-server on PATH: apt-get install redis-server")
    return _redis


@pytest.fixture(scope="session")
def redis(start_redis: StartRedis) -> Iterator[str]:
    """Start a Redis on a free port; give its address."""
    with TemporaryDirectory(prefix="redis-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        with start_redis(Path(folder), port):
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _redis(folder: Path, port: int) -> Iterator[None]:
    """Run a Redis whose data lie in a folder until it is left."""
    options = f"--port {port} --bind 127.0.0.1 --appendonly yes --appendfsync always --save ''"
    command = ["redis-server", *shlex.split(options), "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        with Redis(port=port) as client:
            while not _answers(client):
                assert server.poll() is None, "the Redis ended"
        yield
        server.terminate()


def _answers(client: Redis) -> bool:
    with suppress(RedisConnectionError, BusyLoadingError):
        return bool(client.ping())
    return False


def _leave_out(reason: str) -> None:
    """Fail where all tests must run, else skip; say why."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def _run(folder: Path, program: Path, *arguments: str) -> None:
    """Run as the user postgres when we are root: as root the server refuses to start."""
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    subprocess.run(
        [program, f"--pgdata={folder / 'data'}", *arguments],
        check=True,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )


@dataclass(frozen=True)
class Server:
    """A server that runs."""

    url: str
    token: str
    process: "subprocess.Popen[str]"
    stderr: Path

    @property
    def headers(self) -> dict[str, str]:
        """The key, as a request presents it."""
        return {"Authorization": f"Bearer {self.token}"}

    def stop(self) -> int:
        """Ask it to end; give its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def started(project: Project, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of the trained project, with settings of their own."""
    package, name = Project.__module__.partition(".")[0], project.use_case.api.name
    command = [sys.executable, "-u", "-m", f"{package}.{name}", "serve", "--port", "0"]
    keys, stderr = tmp_path / "keys.json", tmp_path / "stderr"
    token = add(keys, "all", SCOPES)
    own = {"SERVE_KEYS": str(keys), "STATE_URL": f"sqlite:///{tmp_path / 'state.db'}"}
    own["LOG_URL"] = f"sqlite:///{tmp_path / 'predictions.db'}"
    with ExitStack() as stack:

        def start(**settings: str) -> Server:
            process = stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=project.workspace.root,
                    env=os.environ | own | settings,
                    stdout=subprocess.PIPE,
                    stderr=stack.enter_context(stderr.open("w")),
                    text=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            url = re.search(r"http://[\d.:]+", process.stdout.readline())
            assert url, stderr.read_text()
            return Server(url[0], token, process, stderr)

        yield start
