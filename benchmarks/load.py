"""Load on a server: it runs on the first cores, and `wrk` sends from the last one."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

SECONDS = 5
TICK = os.sysconf("SC_CLK_TCK")
CONSTANT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '%s'
"""


@dataclass(frozen=True)
class Load:
    """What one server did in one round."""

    requests: float
    """Answered ones, a second."""
    p50: float
    p99: float
    """Milliseconds."""
    processor: float
    """Microseconds a request, all processes of the server."""


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    url: str
    pid: int
    started: float
    """Seconds from its start to its first answer."""

    def memory(self) -> float:
        """Return the resident memory of all its processes, MB."""
        return sum(_status(pid, "VmRSS") for pid in tree(self.pid)) / 1024

    def processor(self) -> float:
        """Return the processor time that all its processes have used, seconds."""
        return sum(stat[10] + stat[11] for stat in tree(self.pid).values()) / TICK


def _status(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return int(found.group(1)) if found else 0


def tree(root: int) -> dict[int, list[int]]:
    """Return the numbers of /proc/<pid>/stat of a server and all processes it started."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            fields = path.read_text().rpartition(")")[2].split()[1:]
            stats[int(path.parent.name)] = [int(field) for field in fields]

    def within(pid: int) -> bool:
        return pid == root or (pid in stats and within(stats[pid][0]))

    return {pid: stat for pid, stat in stats.items() if within(pid)}


@contextmanager
def served(
    command: Sequence[str], folder: Path, env: Mapping[str, str], ready: str, cores: int = 1
) -> Iterator[Served]:
    """Start a server on the first cores, wait for its answer, and stop it in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", f"0-{cores - 1}", *(part.replace("PORT", str(port)) for part in command)],
        cwd=folder,
        env=os.environ | env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url + ready):
            if process.poll() is not None:
                sys.exit(f"{' '.join(command)} stopped with code {process.returncode}")
            time.sleep(0.01)
        yield Served(url, process.pid, time.perf_counter() - start)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    """Return whether an address answers."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def send(
    server: Served, path: str, script: str, connections: int = 16, refusals: bool = False
) -> Load:
    """Send requests for some seconds over connections that stay open.

    Without `refusals`, the server must answer all; with it, those that are refused do not count.
    """
    with TemporaryDirectory() as folder:
        lua = Path(folder) / "requests.lua"
        lua.write_text(script)
        last = str((os.cpu_count() or 1) - 1)
        command = ["taskset", "-c", last, "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s"]
        command += ["--latency", "-s", str(lua), server.url + path]
        before = server.processor()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = server.processor() - before
    count = found(r"(\d+) requests in", output)
    rate = found(r"Requests/sec:\s+([\d.]+)", output)
    if "Non-2xx" in output:
        if not refusals:
            sys.exit(f"{path} refused requests: {output}")
        answered = count - found(r"Non-2xx or 3xx responses: (\d+)", output)
        rate = rate * answered / count
        count = answered
    p50, p99 = (milliseconds(output, share) for share in ("50%", "99%"))
    return Load(rate, p50, p99, used / count * 1e6)


def found(pattern: str, output: str) -> float:
    """Read a number from the output of wrk."""
    match = re.search(pattern, output)
    if match is None:
        sys.exit(f"the output of wrk cannot be read: {output}")
    return float(match.group(1))


def milliseconds(output: str, share: str) -> float:
    """Read a quantile of the time to answer."""
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    for unit, scale in units.items():
        if re.search(rf"{share}\s+[\d.]+{unit}\b", output):
            return found(rf"{share}\s+([\d.]+){unit}\b", output) * scale
    sys.exit(f"wrk printed no {share}: {output}")


def median_of(loads: Sequence[Load], read: Callable[[Load], float]) -> float:
    """Return the median of the rounds."""
    return median(read(load) for load in loads)


def ratio(loads: Mapping[str, Sequence[Load]], one: str, other: str, processor: bool) -> float:
    """Return how many times as many requests one answers as another: median over the rounds.

    By the clock; or by the time of the processor that a request takes.
    """
    pairs = zip(loads[one], loads[other], strict=True)
    if processor:
        return median(b.processor / a.processor for a, b in pairs)
    return median(a.requests / b.requests for a, b in pairs)
