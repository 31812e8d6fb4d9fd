"""Programs of the machine that some tests need, and Python itself in a new process."""

import os
import shutil
import subprocess
import sys

import pytest


def require(program: str, package: str) -> str:
    """Return the path of a program; skip the test when it is missing, or fail it in CI."""
    path = shutil.which(program, path=os.environ.get("TOOLS_PATH"))  # CI keeps PATH short
    if path is None:
        missing(f"{program} is missing: apt-get install {package}")
    return str(path)


def missing(reason: str) -> None:
    """Skip the test with the reason; fail it in CI, where everything must run."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def run_python(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run code in a new process, which can import what this one can."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
