"""Performance of a version: what its answers cost, as ratios to a calculation on the same machine.

`promote` stores it beside the evaluation; `ml checklist` measures it again. A machine of half the
speed needs twice as long for both, so ratios of different machines can be compared.
"""

import tracemalloc
from collections.abc import Callable
from functools import partial
from time import process_time

import numpy as np

from ..columns import length, take
from ..frozen import Frozen
from .apply_rules import call_to_time
from .predicted_test_rows import PredictedVersion
from .project import Project

PERFORMANCE = "performance.json"
BATCH = 256
"""Rows of a batch, at most."""
VALUES = np.random.default_rng(0).random(20_000)


class Performance(Frozen):
    """What answers cost; times are those of the processor."""

    request: float
    """The time of one request, features included, as a ratio to that of `calibrate`."""
    row: float
    """The time of a row in a batch, as the same ratio."""
    batch_mb: float
    """The most memory that Python and numpy allocate during a batch."""
    milliseconds: float
    """The time of one request on the machine that measured it."""
    microseconds: float
    """The time of a row."""

    def relative_to(self, before: "Performance") -> dict[str, float]:
        """Return by how much each cost is a multiple of what it was before."""
        names = ("request", "row", "batch_mb")
        return {name: getattr(self, name) / getattr(before, name) for name in names}


def calibrate() -> float:
    """Calculate what takes a machine a few milliseconds: a part in Python, a part in numpy."""
    total = sum(number * number % 7 for number in range(10_000))
    return float(np.sort(np.exp(VALUES)).sum()) + total


def measure(project: Project, predicted: PredictedVersion) -> Performance:
    """Measure what the answers of a version cost."""
    checks = project.training.checks
    rows = take(predicted.splits.test, slice(min(BATCH, checks.max_parity_rows or BATCH)))
    batch = partial(predicted.model.predict, rows)
    tracemalloc.start()
    batch()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    request = call_to_time(project, predicted)[1]
    repeats = -(-checks.latency_calls // 3)
    unit, request_seconds = fastest(calibrate, request, repeats)
    again, batch_seconds = fastest(calibrate, batch, -(-repeats // 5))
    row_seconds = batch_seconds / length(rows)
    return Performance(
        request=request_seconds / unit,
        row=row_seconds / again,
        batch_mb=peak / 1e6,
        milliseconds=request_seconds * 1e3,
        microseconds=row_seconds * 1e6,
    )


def fastest(
    first: Callable[[], object], second: Callable[[], object], times: int
) -> tuple[float, float]:
    """Return the shortest processor time of two functions, called in turn, in seconds.

    The shortest leaves out what other programs do to the caches of the processor.
    """
    took = np.empty((times, 2))
    for turn in range(times):
        for number, function in enumerate((first, second)):
            start = process_time()
            function()
            took[turn, number] = process_time() - start
    shortest = took.min(axis=0)
    return float(shortest[0]), float(shortest[1])
