"""Skew: whether the server computed what the data stage computes of the same instances."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, instance_keys, take
from ..errors import UserError
from ..frozen import Frozen
from ..lifecycle.project import Project
from ..prediction_log import PredictionLog
from .windows import Window

TOLERANCE = 1e-4
"""Relative difference of numbers that counts as equal."""


class Skew(Frozen):
    """Values that the server computed, beside those of the newest data set."""

    instances: int
    """How many instances are in both."""
    shares: dict[str, float]
    """Share of them whose values differ, by monitored column."""


def find_skew(project: Project, log: PredictionLog, windows: Sequence[Window]) -> Skew | None:
    """Compare logged values with the test rows of the newest data set, predicted again.

    None if instances have no id, or no data set was made after the answers, or it has no test.
    """
    identifier = project.champion_task().id
    try:
        dataset = project.workspace.dataset()
        made = datetime.fromtimestamp(dataset.path.stat().st_mtime, UTC)
        earlier = [window for window in windows if window.reference and window.start < made]
        if not earlier or not identifier:
            return None
        test = project.training.split(project.params, dataset.path).test
    except UserError:  # the monitor can run where there is no data
        return None
    places = {log.hash(key): row for row, key in enumerate(instance_keys(test, identifier))}
    compared = 0
    differences: dict[str, int] = {}
    for window in earlier:
        pairs = {event: row for row, event in enumerate(window.events) if event in places}
        if not pairs:
            continue
        rows = take(test, np.array([places[event] for event in pairs]))
        logged = take(window.rows, np.array([*pairs.values()]))
        compared += len(pairs)
        for name, differs in compare_values(project, window.version, rows, logged).items():
            differences[name] = differences.get(name, 0) + int(differs.sum())
    if not compared:
        return None
    return Skew(
        instances=compared, shares={name: count / compared for name, count in differences.items()}
    )


def compare_values(
    project: Project, version: str, rows: Columns, logged: Columns
) -> dict[str, NDArray[np.bool_]]:
    """Return which values differ, (rows,), by monitored column."""
    known = project.registry.find_version(int(version))
    if known is None:
        return {}
    bundle = project.registry.bundle(known)
    task = project.training.make_task(bundle)
    computed = task.monitored(rows, project.load(bundle).predict(rows))
    return {name: differ(values, logged[name]) for name, values in computed.items()}


def differ(computed: NDArray[np.generic], logged: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return where values differ; missing ones are equal."""
    if logged.dtype.kind == "f":
        numbers = computed.astype(np.float64)
        is_equal = np.isclose(numbers, logged, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        return np.asarray(~is_equal)
    pairs = zip(computed.tolist(), logged.tolist(), strict=True)
    return np.array([before != now for before, now in pairs], np.bool_)
