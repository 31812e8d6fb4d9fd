"""Read the prediction log in windows of time, with the labels that have arrived."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import numpy as np
import sqlalchemy as sa

from ..columns import Columns, milliseconds
from ..params import Monitor
from ..prediction_log import LABELS, PREDICTIONS, SHADOW, PredictionLog
from ..reference import Numbers, Reference

Times: TypeAlias = tuple[datetime, datetime]
"""Start and end of a window, UTC; the end is no part of it."""


@dataclass(frozen=True)
class Window:
    """The predictions of a time that were answers, and what became known of them since."""

    start: datetime
    end: datetime
    total: int
    """How many predictions were logged; the rows are a sample if there are many."""
    rows: Columns
    """Logged predictions: see `contract.monitoring.Monitoring`."""
    labels: Sequence[Mapping[str, Any] | None]
    """Of each row; None while it is not known."""
    version: str
    """The version that answered most of them; empty without any."""


def periods(until: datetime, params: Monitor) -> list[Times]:
    """Return the times of the windows that are shown, the oldest first."""
    width = timedelta(hours=params.hours)
    return [(until - n * width, until - (n - 1) * width) for n in range(params.windows, 0, -1)]


def read_windows(
    log: PredictionLog,
    reference: Reference,
    times: Sequence[Times],
    most: int,
) -> list[Window]:
    """Read the windows of some times, at most so many rows of each."""
    found = log.read(LABELS, times[0][0], datetime.now(UTC))
    labels = {key: row.label for part in found for row in part for key in _keys(row)}
    return [_read_window(log, reference, labels, time, most) for time in times]


def _read_window(
    log: PredictionLog,
    reference: Reference,
    labels: Mapping[tuple[str, str], Mapping[str, Any]],
    time: Times,
    most: int,
) -> Window:
    total = log.count_answers(*time)
    parts = log.read(PREDICTIONS, *time, every=-(-total // most) or 1)
    rows = [row for part in parts for row in part if row.role != SHADOW]
    known = [next((labels[key] for key in _keys(row) if key in labels), None) for row in rows]
    versions = Counter(row.version for row in rows)
    version = versions.most_common(1)[0][0] if rows else ""
    return Window(*time, total, to_columns(rows, reference), known, version)


def to_columns(rows: Sequence[sa.Row[Any]], reference: Reference) -> Columns:
    """Return logged predictions as columns, with the monitored columns of the reference."""
    columns: dict[str, Any] = {
        "time": milliseconds([row.time.replace(tzinfo=UTC) for row in rows]),
        "version": np.array([row.version for row in rows], object),
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
    return [(name, row._mapping[name]) for name in ("prediction", "event") if row._mapping[name]]
