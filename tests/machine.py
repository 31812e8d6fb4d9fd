"""Programs of the machine that some tests need, waiting for them, and a way to cut the network."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import pytest

T = TypeVar("T")


def find(program: str) -> str | None:
    """Return the path of a program: in TOOLS_PATH, which `.ci/run` sets, or on PATH."""
    return shutil.which(program, path=os.environ.get("TOOLS_PATH"))


def require(program: str, why: str) -> str:
    """Return the path of a program; skip the test when it is missing, or fail it with CI=true."""
    path = find(program)
    if path is None:
        missing(f"`{program}` is missing: {why}")
    return str(path)


def missing(reason: str) -> None:
    """Skip the test with the reason; with CI=true, where everything must run, fail it."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def wait_for(find: Callable[[], T], seconds: float = 120) -> T:
    """Call a function until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, f"{found} after {seconds} s"
        time.sleep(1)
    return found


def listens(port: int) -> bool:
    """Return whether a program listens on a port."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def offline(*command: str) -> tuple[str, ...]:
    """Return a command that runs another in a network namespace with loopback only.

    The namespace has its own processes too: those that the command starts end with it.
    """
    isolated = ("--net", "--pid", "--fork", "--kill-child", "--mount-proc")
    user = () if os.geteuid() == 0 else ("--map-root-user",)
    loopback = f'{find("ip")} link set lo up && exec "$@"'
    return ("unshare", *user, *isolated, "sh", "-c", loopback, "sh", *command)


@cache
def why_not_offline() -> str:
    """Return why this machine cannot cut the network; empty if it can."""
    for tool, package in (("unshare", "util-linux"), ("ip", "iproute2")):
        if not find(tool):
            return f"`{tool}` is missing, which cuts the network: install {package}"
    done = subprocess.run(offline("true"), capture_output=True, text=True, check=False)
    return done.stderr.strip() and f"the network cannot be cut: {done.stderr.strip()}"
