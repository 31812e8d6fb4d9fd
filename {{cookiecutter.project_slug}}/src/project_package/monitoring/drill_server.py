"""The server of a drill: `ml serve` in a process of its own, on a free port of this machine."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from ..errors import UserError
from ..lifecycle.project import Project

START_SECONDS = 60


@contextmanager
def serving(project: Project, package: str) -> Iterator[httpx2.Client]:
    """Start a server on a free port of this machine; stop it in the end."""
    command = [sys.executable, "-u", "-m", f"{package}.entry_point", "serve", "--port", "0"]
    own = os.environ | {"SERVE_KEYS": "off", "SERVE_POLL_SECONDS": "0.2"}
    path = project.workspace.root / "drill.log"
    with (
        path.open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=own) as server,
    ):
        try:
            url = re.search(r"http://[\d.:]+", server.stdout.readline() if server.stdout else "")
            if url is None:
                raise UserError(f"The server does not start: {path.read_text()[-500:]}")
            with httpx2.Client(base_url=url[0], timeout=60) as client:
                wait_for(client)
                yield client
        finally:
            server.terminate()


def wait_for(client: httpx2.Client, version: str = "") -> None:
    """Wait until the server answers, with a version if one is given; raise UserError if never."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            found = client.get("/readyz").json()["model_version"]
            if found == (version or found):
                return
        except (httpx2.HTTPError, KeyError):
            pass
        time.sleep(0.1)
    raise UserError(f"The server does not answer with version {version or 'any'}: see drill.log.")
