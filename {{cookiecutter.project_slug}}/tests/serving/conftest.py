"""A real server: the command in a process of its own, with a key that may do everything."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from project_package.keys import SCOPES, add
from project_package.lifecycle.project import Project


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
