"""Time and memory of commands in one process, in two, and on a cluster: writes scale.md.

Commands run in a new project. A scheduler with two workers is started for each that uses it:
`dask_nodes` of the program's tests, which `make bench` puts on PYTHONPATH.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import psutil
import report
from commands import latest
from cookiecutter.main import cookiecutter
from dask_nodes import CLUSTER, run_nodes

TEMPLATE = str(Path(__file__).parents[1])
LIBRARIES = ("polars", "xgboost-cpu", "distributed")
WAYS = ("one process", "two processes", "cluster of two")
FILES = 8
DAYS = 28  # of payments to predict
METHOD = """\
Payments of the default size, 1.8 million, and ten times as many cards and terminals. *Cluster* is a
scheduler and two workers on the same machine, with TLS: it shows what the way costs, not what more
machines gain. Seconds are those of a command with the start of Python. Memory is the most that all
processes had at once, those of the cluster too; pages that they share count for each. Without a
cluster, `ml data` has one process. `ml predict` reads eight files of the newest four weeks."""


@dataclass(frozen=True)
class Size:
    """How many payments there are, and how many trials the search makes."""

    name: str
    customers: int
    terminals: int
    trials: int


SIZES = (Size("default", 5_000, 10_000, 8), Size("ten times", 50_000, 100_000, 2))


@contextmanager
def settings(way: str, project: Path) -> Iterator[Mapping[str, str]]:
    """Yield the settings of a way, with a new search database; run its cluster meanwhile."""
    with TemporaryDirectory(dir=project) as folder:
        search = {"OPTUNA_STORAGE": f"sqlite:///{folder}/optuna.db"}
        if way == WAYS[2]:
            with run_nodes(Path(folder)) as nodes:
                values = nodes.settings.model_dump(include=CLUSTER)
                yield search | {name.upper(): str(value) for name, value in values.items()}
        else:
            yield search | {"PROCESSES": "1" if way == WAYS[0] else "2"}


def memory() -> float:
    """Return what all processes that this one has started have in memory, MiB."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


def measure(project: Path, way: str, *arguments: str) -> tuple[float, float]:
    """Run a command; return its seconds, and the peak of the memory in MiB."""
    command = [sys.executable, "-B", "-m", "project_package.fraud.entry_point", *arguments]
    peaks = [0.0]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.2):
            peaks.append(memory())

    with settings(way, project) as values:
        sampler = threading.Thread(target=sample)
        sampler.start()
        start = time.perf_counter()
        ended = subprocess.run(
            command, cwd=project, env=os.environ | values, capture_output=True, check=False
        )
        seconds = time.perf_counter() - start
        done.set()
        sampler.join()
    if ended.returncode:
        sys.exit(f"ml {' '.join(arguments)} failed: {ended.stderr.decode()}")
    return seconds, max(peaks)


def write_days(project: Path) -> str:
    """Write the newest payments as files to predict; return how many there are."""
    rows = pl.scan_parquet(latest(project))
    time_of = pl.col("timestamp")
    newest = rows.filter(time_of > time_of.max() - pl.duration(days=DAYS)).collect()
    (project / "days").mkdir()
    step = -(-newest.height // FILES)
    for number in range(FILES):
        part = newest[number * step : (number + 1) * step]
        part.write_parquet(project / "days" / f"{number}.parquet")
    return f"{newest.height:,}"


def measure_size(size: Size, project: Path) -> Iterator[list[str]]:
    """Yield commands with the seconds and the memory of each way."""
    values = (
        f"data.customers={size.customers}",
        f"data.terminals={size.terminals}",
        f"train.trials={size.trials}",
    )
    changes = [word for value in values for word in ("--set", value)]

    def row(text: str, *arguments: str) -> list[str]:
        found = [measure(project, way, *(a.format(way=way) for a in arguments)) for way in WAYS]
        cells = (cell for pair in found for cell in (f"{pair[0]:.0f}", f"{pair[1]:,.0f}"))
        return [f"{size.name}: {text}", *cells]

    yield row("`ml data`", "data", *changes)
    rows = write_days(project)
    yield row(f"`ml train`, {size.trials} trials", "train", *changes)
    for command in ("evaluate", "promote"):
        measure(project, WAYS[0], command, *changes)
    yield row(f"`ml predict` of {rows} payments", "predict", "days", "answers {way}", *changes)


def main() -> None:
    """Measure everything and write the report."""
    lines: list[list[str]] = []
    for size in SIZES:
        with TemporaryDirectory() as folder:
            answers = {"use_case": "fraud", "project_name": "Scale"}
            project = cookiecutter(TEMPLATE, None, True, answers, output_dir=folder)
            lines += measure_size(size, Path(project))
    header = ["fraud", *(f"{way}: {unit}" for way in WAYS for unit in ("s", "MiB"))]
    parts = [
        "# Several processes and machines: time and memory",
        report.measured_on(LIBRARIES, "make bench"),
        METHOD,
        report.table(header, lines),
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
