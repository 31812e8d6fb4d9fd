"""Time and memory of the fraud data stage: writes fraud_speed.md beside this file.

Every step runs in a new process, because peak memory is measured for a whole process. Seconds are
those of the step alone; the peak includes the libraries.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import report
from rich.progress import track

LIBRARIES = ("numpy", "polars", "duckdb", "pyarrow", "pandera")
# This process imports none of them: a child starts with the peak of the process that started it.


@dataclass(frozen=True)
class Step:
    """One measurement and its goals; memory in MiB, a limit of 0 means none."""

    job: str
    scale: int
    limit: int = 0
    most_seconds: float | None = None
    most_memory: int | None = None
    repeats: int = 1


STEPS = (
    Step("simulate", 1, most_seconds=5, most_memory=400, repeats=3),
    Step("features", 1, most_seconds=3, most_memory=1_024, repeats=3),
    Step("simulate", 10),
    Step("copy", 10, limit=2_048, most_memory=2_560),
    Step("check", 10, limit=2_048, most_memory=2_560),
    Step("features", 10, most_memory=2_560),
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
    peak_mib: float
    rows: int


def simulate(_: Path, scale: int, __: int) -> Callable[[], Any]:
    """Prepare the simulator at `scale` times the size of the book."""
    from project_package.fraud import simulator

    customers, terminals = simulator.BOOK_CUSTOMERS * scale, simulator.BOOK_TERMINALS * scale
    return lambda: simulator.simulate(customers, terminals)


def copy(rows: Path, _: int, limit: int) -> Callable[[], Any]:
    """Prepare copying a file of own data."""
    from project_package.data import sources
    from project_package.fraud.validation import LAYOUT

    params = sources.SourceParams(source=str(rows), memory_limit_mib=limit + 400)
    return lambda: sources.copy(params, LAYOUT, rows.with_name("copy.parquet"))


def check(rows: Path, _: int, limit: int) -> Callable[[], Any]:
    """Prepare validation."""
    from project_package.data.sources import SourceParams
    from project_package.fraud import validation

    data = SourceParams(source=str(rows), memory_limit_mib=limit + 400)
    return lambda: validation.check(rows, data)


def features(rows: Path, _: int, __: int) -> Callable[[], Any]:
    """Prepare the feature step."""
    import polars as pl

    from project_package.fraud.table import build_feature_table

    target = rows.with_name("features.parquet")
    return lambda: build_feature_table(pl.scan_parquet(rows), target)


def measure(job: str, rows: Path, scale: int, limit: int) -> dict[str, float]:
    """Run a job in this process."""
    import pyarrow.parquet as pq

    prepare = {"simulate": simulate, "copy": copy, "check": check, "features": features}[job]
    run = prepare(rows, scale, limit)
    start = perf_counter()
    result = run()
    seconds = perf_counter() - start
    peak = getrusage(RUSAGE_SELF).ru_maxrss / 2**10
    if job == "simulate":  # for the steps that follow
        result.write_parquet(rows)
    return {"seconds": seconds, "peak_mib": peak, "rows": pq.read_metadata(rows).num_rows}


def in_new_process(step: Step, folder: Path) -> Measured:
    """Run a step several times; return the median of the seconds and the highest peak."""
    rows = folder / f"rows_{step.scale}.parquet"
    command = [sys.executable, "-B", __file__, step.job, str(rows), str(step.scale)]
    runs = []
    for _ in range(step.repeats):
        child = subprocess.run([*command, str(step.limit)], check=True, capture_output=True)
        runs.append(json.loads(child.stdout))
    seconds, peak = median(run["seconds"] for run in runs), max(run["peak_mib"] for run in runs)
    return Measured(seconds, peak, runs[0]["rows"])


def row(step: Step, measured: Measured) -> list[str]:
    """Format a step as a row of the table."""
    bounds = ((measured.seconds, step.most_seconds), (measured.peak_mib, step.most_memory))
    kept = [value <= most for value, most in bounds if most is not None]
    return [
        NAMES[step.job],
        f"{measured.rows:,}",
        f"{step.limit:,}" if step.limit else "",
        f"{measured.seconds:.1f}",
        f"{step.most_seconds:g}" if step.most_seconds else "",
        f"{measured.peak_mib:,.0f}",
        f"{step.most_memory:,}" if step.most_memory else "",
        ("yes" if all(kept) else "**no**") if kept else "",
    ]


def text(results: Sequence[tuple[Step, Measured]]) -> list[str]:
    """Return the parts of the report."""
    header = ["step", "rows", "limit, MiB", "seconds", "at most", "peak, MiB", "at most", "met"]
    return [
        "# Fraud: time and memory of the data stage",
        report.measured_on(LIBRARIES, "make bench"),
        "The book's size (5,000 cards, 10,000 terminals, 183 days) and ten times as many cards and "
        "terminals. Each step ran in a new process: seconds are those of the step, without the "
        "start of Python; the peak is the resident memory of the whole process, libraries "
        "included. The steps at the book's size ran three times: the median of the seconds "
        "and the highest peak are shown.",
        report.table(header, (row(*result) for result in results)),
        "*limit* is the memory limit of DuckDB in the step; the process adds about 300 MiB. "
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
