"""Servers in tests: in a thread, or in processes of their own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import httpx2
import numpy as np
import pytest
import uvicorn
from fastapi import FastAPI
from multiplying import Published

from project_package.api_keys import SCOPES, add_key
from project_package.bundle import Bundle
from project_package.cli import EntryPoint
from project_package.columns import Columns
from project_package.contract.task import Model, Task
from project_package.lifecycle.project import Project
from project_package.serving.app import create_app
from project_package.settings import Settings

FACTORY = """
from {0} import {1}
from project_package.serving.app import create_app
from project_package.serving.serve import serve

def create():
    return create_app(lambda _: {1}, open_events={3})

if __name__ == "__main__":
    serve("factory:create", "", 0, {2}, False)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Return when a condition holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true in time"
        time.sleep(0.01)


@contextmanager
def running(app: FastAPI, **options: Any) -> Iterator[str]:
    """Serve an application on a free loopback port, in a thread; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, http="h11", log_config=None, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Recorded:
    """A model that keeps the rows that it predicted."""

    model: Model
    seen: list[Columns]

    def predict(self, rows: Columns) -> Columns:
        self.seen.append(rows)
        return self.model.predict(rows)


@dataclass(frozen=True)
class Served:
    """A server of the trained project, and the rows with features that its model predicted."""

    client: httpx2.Client
    seen: list[Columns]

    def post(self, route: str, rows: list[dict[str, Any]]) -> Any:
        """Post rows to a route under /v1 and return the answer."""
        key = "instances" if route == "predict" else route
        answer = self.client.post(f"/v1/{route}", json={key: rows})
        answer.raise_for_status()
        return answer.json()

    def rows(self) -> Columns:
        """Return all rows predicted since the start, in their order."""
        return {name: np.concatenate([part[name] for part in self.seen]) for name in self.seen[0]}


@pytest.fixture
def served(project: Project, entry: EntryPoint, tmp_path: Path) -> Iterator[Served]:
    """Serve the trained project, without keys and with an empty event store."""
    seen: list[Columns] = []

    def make_task(bundle: Bundle) -> Task:
        task = project.training.make_task(bundle)
        return replace(task, load=lambda bundle: Recorded(cast(Model, task.load(bundle)), seen))

    settings = Settings(
        model_store=project.registry.store.address,
        serve_keys="off",
        log_url="off",
    )
    app = create_app(make_task, settings, tmp_path, entry.open_events)
    seen.clear()  # of the examples
    with running(app) as url, httpx2.Client(base_url=url, timeout=60) as client:
        yield Served(client, seen)


Program: TypeAlias = tuple["subprocess.Popen[str]", str]


@contextmanager
def launched(folder: Path, arguments: list[str], settings: dict[str, str]) -> Iterator[Program]:
    """Start Python with a server in a folder; its log goes to the file `stderr` there."""
    with (
        (folder / "stderr").open("w") as stderr,
        subprocess.Popen(
            [sys.executable, "-u", *arguments],
            cwd=folder,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = re.search(r"http://[\d.:]+", process.stdout.readline())
            assert url, (folder / "stderr").read_text()
            yield process, url[0]
        finally:
            with suppress(OSError):  # all have ended
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def program(published: Published, workers: int = 1, **settings: str) -> Iterator[Program]:
    """Serve a published model in processes of its own; yields the first one and its address."""
    name = published.task.name
    module = "totals" if published.open_events else "multiplying"
    opener = "__import__('totals').open_events" if published.open_events else None
    factory = FACTORY.format(module, name.upper(), workers, opener)
    (published.root / "factory.py").write_text(factory)
    own = {"PYTHONPATH": os.pathsep.join(sys.path), "SERVE_KEYS": "off"}
    with launched(published.root, ["factory.py"], own | settings) as process:
        yield process


@dataclass(frozen=True)
class Server:
    """A server in a process of its own."""

    url: str
    token: str
    process: "subprocess.Popen[str]"
    stderr: Path

    @property
    def headers(self) -> dict[str, str]:
        """The key, as a request presents it."""
        return {"Authorization": f"Bearer {self.token}"}

    def stop(self) -> int:
        """Terminate it; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def started(project: Project, use_case: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Return what starts `ml serve` for the trained project, with settings of its own."""
    package = Project.__module__.partition(".")[0]
    command = ["-m", f"{package}.{use_case}.entry_point", "serve", "--port", "0"]
    token = add_key(tmp_path / "keys.json", "all", SCOPES)
    own = {"MODEL_STORE": project.registry.store.address}
    with ExitStack() as stack:

        def start(**settings: str) -> Server:
            process, url = stack.enter_context(launched(tmp_path, command, own | settings))
            wait_until(lambda: answers(url), seconds=60)
            return Server(url, token, process, tmp_path / "stderr")

        yield start


def answers(url: str) -> bool:
    """Return whether a server listens."""
    try:
        return httpx2.get(f"{url}/healthz").is_success
    except httpx2.TransportError:
        return False
