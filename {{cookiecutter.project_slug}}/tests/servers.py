"""Servers of the trained project: in a thread, watched, or in a process of their own."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn

from project_package.contract import Columns
from project_package.api_keys import SCOPES, add
from project_package.lifecycle.project import Project
from project_package.onnx_model import Predictor
from project_package.serving.app import create_app
from project_package.state.base import State


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

    @contextmanager
    def each(self, workers: int) -> Iterator[list[httpx.Client]]:
        """Connect to each of its workers, whose ids of answers begin differently."""
        found: dict[str, httpx.Client] = {}
        with ExitStack() as stack:
            while len(found) < workers:
                client = httpx.Client(base_url=self.url, headers=self.headers, timeout=60)
                answer = stack.enter_context(client).get("/healthz")
                found.setdefault(answer.headers["x-request-id"].partition("-")[0], client)
            yield list(found.values())

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
