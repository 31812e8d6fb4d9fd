"""Run a script with a copy of the program in which texts of a use case are replaced."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import project_package

SOURCE = Path(project_package.__file__).parent
TESTS = Path(__file__).parent


def run_edited(
    folder: Path, use_case: str, edits: Iterable[tuple[str, str, str]], script: str
) -> None:
    """Replace texts, each by its module, and run a script that can import the tests' modules."""
    package = folder / "project_package"
    shutil.copytree(SOURCE, package)
    for name, old, new in edits:
        path = package / use_case / name
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{TESTS}"}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
