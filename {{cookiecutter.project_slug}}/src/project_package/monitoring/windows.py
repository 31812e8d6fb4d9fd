"""Read the prediction log in windows of time, with the labels that have arrived."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import sqlalchemy as sa

from ..columns import Columns, milliseconds
from ..params import Monitor
from ..prediction_log import PredictionLog
from ..reference import Numbers, Reference

Times: TypeAlias = tuple[datetime, datetime]
"""Start and end of a window, UTC; the end is no part of it."""


@dataclass(frozen=True)
class Window:
    """The answers of a time by the version that gave most of them, and what became known since."""

    start: datetime
    end: datetime
    total: int
    """How many answers of the version were logged."""
    version: str
    """Empty without any answer."""
    reference: Reference | None
    """Of the version; None if there is none."""
    rows: Columns
    """Logged predictions, a sample if there are many: see `contract.monitoring.Monitoring`."""
    events: Sequence[str] = ()
    """Of each row the hash of the instance's own id; empty if it has none."""
    labels: Sequence[Mapping[str, Any] | None] = ()
    """Of each row; None while it is not known."""


def periods(until: datetime, params: Monitor) -> list[Times]:
    """Return the times of the windows that are shown, the oldest first."""
    width = timedelta(hours=params.hours)
    return [(until - n * width, until - (n - 1) * width) for n in range(params.windows, 0, -1)]


def read_windows(
    log: PredictionLog,
    times: Sequence[Times],
    find_reference: Callable[[str], Reference | None],
    most: int,
) -> list[Window]:
    """Read the windows of some times, at most about so many rows of each."""
    windows = []
    keys = []
    for start, end in times:
        total = log.count_answers(start, end)
        rows = [
            row for part in log.read_answers(start, end, -(-total // most) or 1) for row in part
        ]
        versions = Counter(row.version for row in rows)
        version = max(versions, key=versions.__getitem__, default="")
        answers = round(total * versions[version] / max(len(rows), 1))
        reference = find_reference(version) if version else None
        rows = [row for row in rows if reference and row.version == version]
        columns = to_columns(rows, reference) if reference else {}
        events = [row.event for row in rows]
        windows.append(Window(start, end, answers, version, reference, columns, events))
        keys.append([_keys(row) for row in rows])
    # Labels are read last: of many, only those of the rows are kept.
    wanted = {key for window in keys for row in window for key in row}
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    for part in log.read_labels(times[0][0]):
        known |= {key: row.label for row in part for key in _keys(row) if key in wanted}
    return [
        replace(window, labels=[next((known[k] for k in row if k in known), None) for row in found])
        for window, found in zip(windows, keys, strict=True)
    ]


def to_columns(rows: Sequence[sa.Row[Any]], reference: Reference) -> Columns:
    """Return logged predictions as columns, with the monitored columns of the reference."""
    columns: dict[str, Any] = {
        "time": milliseconds([row.time.replace(tzinfo=UTC) for row in rows]),
        "entity": np.array([row.entity for row in rows], object),
        "answer": np.fromiter((row.answer for row in rows), object, len(rows)),
    }
    for name, column in reference.columns.items():
        values = [row.monitored.get(name) for row in rows]
        is_number = isinstance(column, Numbers)
        columns[name] = np.array(values, np.float64 if is_number else object)
    return columns


def _keys(row: sa.Row[Any]) -> list[tuple[str, str]]:
    """Return what joins labels and predictions: the id of the prediction, and that of the event."""
    names = (("prediction", row.prediction), ("event", row.event))
    return [(kind, name) for kind, name in names if name]
