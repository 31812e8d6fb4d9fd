"""Run commands of generated projects, measure what they need, and find what they wrote."""

import os
import subprocess
import sys
from pathlib import Path


def run(folder: Path, use_case: str, *arguments: str) -> tuple[float, float]:
    """Run a command of a use case in a folder.

    Returns:
        The seconds of processor time, and the largest resident memory of a process in MiB.
    """
    command = [sys.executable, "-B", "-m", f"project_package.{use_case}.entry_point", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"ml {' '.join(arguments)} of {use_case} failed.")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def latest(project: Path) -> Path:
    """Return the path of the rows of the newest data set."""
    return project / "data" / (project / "data" / "latest").read_text("utf-8") / "rows.parquet"
