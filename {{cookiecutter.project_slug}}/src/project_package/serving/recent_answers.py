"""What was answered in the last hour, from the prediction log."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import Unavailable
from ..frozen import Frozen
from ..prediction_log import PredictionLog
from ..reference import Column, Numbers, Reference

MINUTES = 60
SAMPLE = 5_000
"""About how many answers are read."""
BARS = 20
CATEGORIES = 10


class Bar(Frozen):
    """Answers whose value lies in a range, or is a category."""

    label: str
    share: float


class Distribution(Frozen):
    """How a value of the answers is distributed."""

    name: str
    is_number: bool
    """Bars are ranges of numbers, the lowest first, or else categories, the most frequent first."""
    bars: tuple[Bar, ...]


class RecentAnswers(Frozen):
    """The answers of the last hour."""

    answers: int
    minutes: tuple[int, ...]
    """Answers in each minute, the oldest first; estimated from a sample when there are many."""
    outputs: tuple[Distribution, ...]


def read_recent(log: PredictionLog, reference: Reference | None) -> RecentAnswers | None:
    """Read the last hour of a log; None while it cannot be used.

    The reference names the values of answers, and says their range.
    """
    now = datetime.now(UTC)
    since = now - timedelta(minutes=MINUTES)
    try:
        total = log.count_answers(since, now)
        every = 1 + total // SAMPLE
        rows = [row for part in log.read_answers(since, now, every) for row in part]
    except Unavailable:
        return None
    ages = [(now - row.time.replace(tzinfo=UTC)).total_seconds() // 60 for row in rows]
    minutes = np.bincount([MINUTES - 1 - int(age) for age in ages], minlength=MINUTES)[:MINUTES]
    scale = total / max(len(rows), 1)
    outputs = []
    for name in reference.outputs if reference else ():
        values = [row.monitored[name] for row in rows if row.monitored.get(name) is not None]
        if reference and values:
            column = reference.columns[name]
            bars = _bars(values, column)
            is_number = isinstance(column, Numbers)
            outputs.append(Distribution(name=name, is_number=is_number, bars=bars))
    return RecentAnswers(
        answers=total,
        minutes=tuple(np.rint(minutes * scale).astype(int).tolist()),
        outputs=tuple(outputs),
    )


def _bars(values: Sequence[Any], column: Column) -> tuple[Bar, ...]:
    """Return bars of equal width between the extremes of the reference, or of the categories."""
    if isinstance(column, Numbers):
        low, high = column.low, max(column.high, column.low + 1e-9)
        counts, edges = np.histogram(np.clip(values, low, high), BARS, (low, high))
        labels = [f"{start:.3g} to {end:.3g}" for start, end in pairwise(edges)]
        found = list(zip(labels, counts.tolist(), strict=True))
    else:
        found = Counter(map(str, values)).most_common(CATEGORIES)
    return tuple(Bar(label=label, share=count / len(values)) for label, count in found)
