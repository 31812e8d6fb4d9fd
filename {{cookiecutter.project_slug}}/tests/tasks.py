"""Functions for the processes of a test: they can import this file."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Square:
    """A task: the square of a number, after its process was killed some times."""

    number: int
    marks: Path
    kills: int = 0

    def __str__(self) -> str:
        return f"square of {self.number}"


def square(task: Square) -> int:
    """Return the square; leave a mark in a folder before the process is killed."""
    killed = len([*task.marks.glob(f"{task.number}-*")])
    if killed < task.kills:
        (task.marks / f"{task.number}-{killed}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task.number**2


def later(task: Square) -> Callable[[], int]:
    """Return a function of this function."""
    return lambda: task.number**2


def fail(task: Square) -> int:
    """Raise an error that is not for the user."""
    raise ZeroDivisionError(task.number)


class StrangeError(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, kind: str, number: int) -> None:
        super().__init__(f"{kind} {number}")


def fail_strangely(task: Square) -> int:
    """Raise an error that cannot be sent."""
    raise StrangeError("strange", task.number)


def threads(_: Square) -> int:
    """Return how many threads a library of numbers uses."""
    import numpy as np  # noqa: F401, PLC0415  only this task needs it
    from threadpoolctl import threadpool_info  # noqa: PLC0415

    return max(int(library["num_threads"]) for library in threadpool_info())


def end_parent(task: Square) -> None:
    """Kill the process that waits for the task, and go on."""
    (task.marks / str(os.getpid())).touch()
    if task.number == 1:
        os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def wait(task: Square) -> int:
    """Return the number, the first one at once."""
    time.sleep(min(task.number, 1))
    return task.number


def read_killed_once(
    read: Callable[..., Any], mark: Path, params: Any, file: Path, history: Path
) -> Any:
    """Read a file; the first process that reads the one with the name of the mark is killed."""
    if file.name == mark.name and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read(params, file, history)
