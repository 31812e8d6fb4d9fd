"""Time and memory of the fraud data stage: writes fraud_speed.md beside this file.

Every step runs in a new process, because peak memory is measured for a whole process. Seconds are
those of the step alone; the peak includes the libraries. The goal of the time is a ratio: processor
time of the step over that of a fixed calibration loop in the same process, which depends little on
the machine and on what else it does.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

import report
from rich.progress import track

LIBRARIES = ("numpy", "polars", "duckdb", "pyarrow", "pandera")
# This process imports none of them: a child starts with the peak of the process that started it.


@dataclass(frozen=True)
class Step:
    """One measurement and its goals; memory in MiB.

    `limit` is `data.memory_limit_mib`, which is the goal of the peak too; 0 means none.
    """

    job: str
    scale: int
    limit: int = 0
    most_ratio: float | None = None
    most_memory: int | None = None
    repeats: int = 1


STEPS = (
    Step("simulate", 1, most_ratio=3, most_memory=400, repeats=3),
    Step("features", 1, most_ratio=5, most_memory=1_024, repeats=3),
    Step("simulate", 10),
    Step("copy", 10, limit=1_024, most_memory=1_024),
    Step("check", 10, limit=1_024, most_memory=1_024),
    Step("copy", 10, limit=2_560, most_memory=2_560),
    Step("check", 10, limit=2_560, most_memory=2_560),
    Step("features", 10, most_ratio=100, most_memory=2_560),
)
NAMES = {
    "simulate": "simulate payments",
    "copy": "copy own data (Parquet), typed and sorted",
    "check": "validate",
    "features": "compute the features",
}


@dataclass(frozen=True)
class Measured:
    """Time and memory of a step."""

    seconds: float
    ratio: float
    peak_mib: float
    rows: int


def simulate(_: Path, scale: int, __: int) -> Callable[[], Any]:
    """Prepare the simulator at `scale` times the size of the book."""
    from project_package.fraud import simulator

    customers, terminals = simulator.BOOK_CUSTOMERS * scale, simulator.BOOK_TERMINALS * scale
    return lambda: simulator.simulate(customers, terminals)


def copy(rows: Path, _: int, limit: int) -> Callable[[], Any]:
    """Prepare copying a file of own data."""
    from project_package.data import import_rows
    from project_package.fraud.validation import LAYOUT

    params = source_params(rows, limit)
    return lambda: import_rows.import_rows(params, LAYOUT, rows.with_name("copy.parquet"))


def check(rows: Path, _: int, limit: int) -> Callable[[], Any]:
    """Prepare validation."""
    from project_package.fraud import validation

    params = source_params(rows, limit)
    return lambda: validation.check_payments(rows, params)


def source_params(rows: Path, limit: int) -> Any:
    """Return parameters with a memory limit; import what `ml data` does, as its memory counts."""
    from project_package.fraud.params import Data

    for name in ("lifecycle.project", "lifecycle.make_dataset", "fraud.training"):
        import_module(f"project_package.{name}")
    return Data(source=str(rows), memory_limit_mib=limit)


def features(rows: Path, _: int, __: int) -> Callable[[], Any]:
    """Prepare the feature step."""
    import polars as pl

    from project_package.fraud.feature_table import build_feature_table

    target = rows.with_name("features.parquet")
    return lambda: build_feature_table(pl.scan_parquet(rows), target)


def calibrate() -> float:
    """Return the processor seconds of a fixed loop of numpy and Python."""
    import numpy as np

    values = np.random.default_rng(0).integers(0, 2**40, 2_000_000)
    start = process_time()
    np.searchsorted(np.sort(values), values)
    sum(number * number % 7 for number in range(2_000_000))
    return process_time() - start


def measure(job: str, rows: Path, scale: int, limit: int) -> dict[str, float]:
    """Run a job in this process."""
    import pyarrow.parquet as pq

    prepare = {"simulate": simulate, "copy": copy, "check": check, "features": features}[job]
    run = prepare(rows, scale, limit)
    start, processor_start = perf_counter(), process_time()
    result = run()
    seconds, processor = perf_counter() - start, process_time() - processor_start
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 2**10
    if job == "simulate":  # for the steps that follow
        result.write_parquet(rows)
    return {
        "seconds": seconds,
        "ratio": processor / median(calibrate() for _ in range(3)),
        "peak_mib": peak,
        "rows": pq.read_metadata(rows).num_rows,
    }


def in_new_process(step: Step, folder: Path) -> Measured:
    """Run a step several times; return the medians of the times and the highest peak."""
    rows = folder / f"rows_{step.scale}.parquet"
    command = [sys.executable, "-B", __file__, step.job, str(rows), str(step.scale)]
    runs = []
    for _ in range(step.repeats):
        child = subprocess.run([*command, str(step.limit)], check=True, capture_output=True)
        runs.append(json.loads(child.stdout))
    seconds, ratio = (median(run[name] for run in runs) for name in ("seconds", "ratio"))
    return Measured(seconds, ratio, max(run["peak_mib"] for run in runs), runs[0]["rows"])


def row(step: Step, measured: Measured) -> list[str]:
    """Format a step as a row of the table."""
    bounds = ((measured.ratio, step.most_ratio), (measured.peak_mib, step.most_memory))
    kept = [value <= most for value, most in bounds if most is not None]
    return [
        NAMES[step.job],
        f"{measured.rows:,}",
        f"{step.limit:,}" if step.limit else "",
        f"{measured.seconds:.1f}",
        f"{measured.ratio:.1f}",
        f"{step.most_ratio:g}" if step.most_ratio else "",
        f"{measured.peak_mib:,.0f}",
        f"{step.most_memory:,}" if step.most_memory else "",
        ("yes" if all(kept) else "**no**") if kept else "",
    ]


def text(results: Sequence[tuple[Step, Measured]]) -> list[str]:
    """Return the parts of the report."""
    header = ["step", "rows", "limit, MiB", "seconds", "ratio", "at most"]
    header += ["peak, MiB", "at most", "met"]
    return [
        "# Fraud: time and memory of the data stage",
        report.measured_on(LIBRARIES, "make bench"),
        "The book's size (5,000 cards, 10,000 terminals, 183 days) and ten times as many cards and "
        "terminals. Each step ran in a new process: seconds are those of the step, without the "
        "start of Python; the peak is the resident memory of the whole process, libraries "
        "included. The steps at the book's size ran three times: the medians of the times "
        "and the highest peak are shown.",
        "*ratio* is the processor time of the step, of all its threads, over that of a calibration "
        "loop in the same process: numpy sorts two million numbers and looks them up, and Python "
        "adds as many. Unlike seconds, it can be compared between machines, and a slower step is "
        "seen on a busy one too.",
        report.table(header, (row(*result) for result in results)),
        "*limit* is `data.memory_limit_mib`, for the whole process while it copies and validates; "
        "560 MiB of it are for the program with its libraries, the rest is DuckDB's. It does not "
        "cover the simulator and the feature step. "
        "The feature step processes the days in chunks and reads the 44 days before each chunk "
        "again, which needs less memory and more time.",
    ]


def main() -> None:
    """Measure all steps and write the report; with arguments, measure one step."""
    if arguments := sys.argv[1:]:
        job, rows, scale, limit = arguments
        sys.stdout.write(json.dumps(measure(job, Path(rows), int(scale), int(limit))))
        return
    with TemporaryDirectory() as folder:
        results = [
            (step, in_new_process(step, Path(folder))) for step in track(STEPS, "fraud_speed")
        ]
    report.write(Path(__file__).with_suffix(".md"), text(results))


if __name__ == "__main__":
    main()
