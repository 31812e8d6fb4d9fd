"""Several processes on one port, and one page of their numbers.

Each is its parent's command again: no session of ONNX Runtime, SQLite connection or event loop is
forked. Each has a socket of its own, and the kernel deals connections out: of one, who wakes first
takes all. The parent keeps them: what waits is not lost with a worker. uvicorn's supervisor will
not do: its workers stop without notice.

Each writes its numbers to a file, every second and when asked, and goes on from those of one that
died in its place; who is asked adds up all. So no counter falls.
"""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import Unavailable, UserError

LOOK_SECONDS, WRITE_SECONDS = 0.2, 1
KILLS, KILL_SECONDS = 5, 15
"""So many workers killed in so short a time end the server."""
SUMMED = {"counter", "histogram", "requests_inside"}
"""Types, and a gauge, that are added up; of other gauges the largest counts."""
log = logging.getLogger(__name__)


def supervise(opened: Sequence[socket.socket]) -> None:
    """Let workers work until a signal; replace who is killed; raise UserError when one fails."""
    asked = list[int]()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.append(number))
    with TemporaryDirectory(suffix=f"-{os.getpid()}") as folder:
        workers = [_start(one, f"{folder}/{place}") for place, one in enumerate(opened)]
        killed = deque([0.0] * KILLS, KILLS)  # at these times
        while not asked and _can_work(workers, killed):
            for place, worker in enumerate(workers):
                if worker.returncode is not None:
                    log.warning("a worker was killed", extra={"pid": worker.pid})
                    killed.append(time.monotonic())
                    workers[place] = _start(opened[place], f"{folder}/{place}")
            time.sleep(LOOK_SECONDS)
        for one, worker in zip(opened, workers, strict=True):
            one.close()  # or who connects after the worker's end would wait for nobody
            worker.terminate()
        for worker in workers:
            worker.wait()
    if not asked:
        raise UserError("A worker cannot work, as the log says: mend that and start again.")


def _can_work(workers: "Sequence[subprocess.Popen[bytes]]", killed: Sequence[float]) -> bool:
    """Tell whether no worker ended with an error, and the last ones were not killed at once."""
    is_rare = not killed[0] or killed[-1] - killed[0] > KILL_SECONDS
    return is_rare and all((worker.poll() or 0) <= 0 for worker in workers)


def _start(opened: socket.socket, board: str) -> "subprocess.Popen[bytes]":
    own = {"WORKER_SOCKET": str(opened.fileno()), "WORKER_BOARD": board}
    command = [sys.executable, *sys.orig_argv[1:]]
    return subprocess.Popen(command, env=os.environ | own, pass_fds=[opened.fileno()])


class Board:
    """Where the workers of a server write their numbers."""

    def __init__(self, path: str, text: Callable[[], bytes]) -> None:
        """Take the file of this process, in a folder named by its parent, and its numbers."""
        self._text, self._mine = text, Path(path)
        self._parent = int(self._mine.parent.name.rpartition("-")[2])
        self._before = self._mine.read_text() if self._mine.exists() else ""

    def page(self) -> str:
        """Give the numbers of all, in Prometheus' text form; raise Unavailable when none can."""
        try:
            self._write()
            files = (path for path in self._mine.parent.iterdir() if not path.suffix)
            return added_up(path.read_text() for path in files)
        except OSError as error:
            raise Unavailable(f"The workers cannot tell their numbers: {error}.") from error

    def _write(self) -> None:
        fresh = self._mine.with_suffix(".new")
        fresh.write_text(added_up([self._text().decode()], self._before))
        fresh.replace(self._mine)

    async def run(self) -> None:
        """Write again and again, until cancelled; end this process when its parent has ended."""
        while os.getppid() == self._parent:
            with suppress(OSError):  # who asks is told
                self._write()
            await asyncio.sleep(WRITE_SECONDS)
        signal.raise_signal(signal.SIGTERM)


def added_up(pages: Iterable[str], before: str = "") -> str:
    """Add up the numbers of processes, and the counters of one before them."""
    families: dict[str, dict[str, float]] = defaultdict(dict)
    for page in (*pages, before):
        for family in f"\n{page}".removesuffix("\n").split("\n# HELP ")[1:]:
            about, kind, *lines = family.split("\n")
            values, named = families[f"# HELP {about}\n{kind}\n"], {*kind.split()[2:]}
            for line in lines if page is not before or "gauge" not in named else ():
                name, _, value = line.rpartition(" ")
                add = float.__add__ if SUMMED & named else max
                values[name] = add(values.get(name, 0.0), float(value))
    return "".join(
        about + "".join(f"{name} {value}\n" for name, value in found.items())
        for about, found in families.items()
    )
