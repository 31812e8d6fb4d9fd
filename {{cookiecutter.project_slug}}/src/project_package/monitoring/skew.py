"""Skew: whether the server computed what the data stage computes of the same instances."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ..columns import instance_keys, take
from ..errors import UserError
from ..frozen import Frozen
from ..lifecycle.project import Project
from ..prediction_log import PredictionLog
from .windows import Window

TOLERANCE = 1e-4
"""Relative difference of numbers that counts as equal."""


class Skew(Frozen):
    """Logged values, compared with those of the newest data set."""

    instances: int
    """How many were compared."""
    shares: dict[str, float]
    """Share of them whose values differ, by monitored column."""


def find_skew(project: Project, log: PredictionLog, windows: Sequence[Window]) -> Skew | None:
    """Compare the newest window that has enough instances in common with the newest data set.

    None without such a window, or where no feature reads earlier events: then there is one code.

    Args:
        project: the test rows of its data set are predicted by the version that answered.
        log: hashes the ids of instances.
        windows: the oldest first.
    """
    names = project.champion_task().id
    if project.events is None or not names:
        return None
    try:
        dataset = project.workspace.dataset()
    except UserError:  # the monitor can run where there is no data
        return None
    made = datetime.fromtimestamp(dataset.path.stat().st_mtime, UTC)
    earlier = [window for window in windows if window.start < made and any(window.events)]
    if not earlier:
        return None
    test = project.training.split(project.params, dataset.path).test
    rows = rows_by_key([log.hash(key) for key in instance_keys(test, names)])
    for window in reversed(earlier):
        logged = rows_by_key(window.events)
        common = [key for key in logged if key in rows]
        known = project.registry.find_version(int(window.version))
        if len(common) < project.params.monitor.min_rows or known is None:
            continue
        bundle = project.registry.bundle(known)
        tested = take(test, np.array([rows[key] for key in common]))
        predictions = project.load(bundle).predict(tested)
        computed = project.training.make_task(bundle).monitored(tested, predictions)
        places = np.array([logged[key] for key in common])
        shares = {
            name: float(differ(values, window.rows[name][places]).mean())
            for name, values in computed.items()
            if name in window.rows
        }
        return Skew(instances=len(common), shares=shares)
    return None


def rows_by_key(keys: Sequence[str]) -> dict[str, int]:
    """Return the row of each key; keys that are empty or repeat are left out."""
    counts = Counter(keys)
    return {key: row for row, key in enumerate(keys) if key and counts[key] == 1}


def differ(
    computed: NDArray[np.generic], logged: NDArray[np.generic], tolerance: float = TOLERANCE
) -> NDArray[np.bool_]:
    """Return where values differ; what is not finite is missing in the log, and equal."""
    if logged.dtype.kind != "f":
        pairs = zip(computed.tolist(), logged.tolist(), strict=True)
        return np.array([before != now for before, now in pairs], np.bool_)
    numbers = computed.astype(np.float64)
    numbers[np.isinf(numbers)] = np.nan
    is_equal = np.isclose(numbers, logged, rtol=tolerance, atol=tolerance, equal_nan=True)
    return np.asarray(~is_equal)
