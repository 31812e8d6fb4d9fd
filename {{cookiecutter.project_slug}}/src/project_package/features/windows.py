"""Features over the recent rows of the same entity: one declaration, one kernel.

A feature is declared once, as a `Derived` column of its own row or as a `Window` over the rows of
the same entity in a span of time. `stream` yields the same numbers, to the last bit, for a whole
table, for a part of it with enough rows before, and for one request with its history: windows
are sums of whole numbers (ten-thousandths), so the order of addition does not matter.

The kernel sorts once an entity, finds both ends of every window by binary search and takes
differences of running totals. It needs numpy only, because the server runs it too.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns

Positions: TypeAlias = slice | NDArray[np.int64]
EVERY_ROW: Positions = slice(None)
Aggregate = Literal["count", "sum", "mean", "run_length", "run_age_days", "days_since_false"]

MILLISECONDS_A_DAY = 86_400_000
NO_ENTITY = -1
"""The code of a row that has no such entity: no window counts it, and its own are 0."""
MAX_ROWS = 2_000
"""Rows of a window at most, which limits the cost of a busy entity. Training, batches and server
count the same ones, so features stay equal."""
UNIT = 10_000
"""Sums are exact in ten-thousandths: a value with more decimals is rounded to four."""


@dataclass(frozen=True)
class Derived:
    """A column computed row by row from other columns.

    `function` takes the `inputs` in order, each of shape (rows,), and returns shape (rows,). Use
    only arithmetic and comparisons where a window reads the result: log and exp may differ in the
    last bit from one machine to the next.
    """

    name: str
    description: str
    function: Callable[..., NDArray[Any]]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class Window:
    """An aggregate over the rows of the same `entity` in (t - delay - days, t - delay].

    Without a delay the row itself counts, and of the rows at the same millisecond those
    before it. With a delay, which is how long a value takes to become known, every row up to
    t - delay counts. Of more than `rows` rows only the last ones count. The aggregates of the
    column `value`, and the value of an empty window:

    - count: the number of rows (no `value` needed); 0
    - sum, mean: exact to four decimals of each value; 0
    - run_length: how many rows at the end of the window are all true; 0
    - run_age_days: days from the first row of that run to t; 0
    - days_since_false: days from the last row that is not true to t; delay + days, the far end
    """

    name: str
    description: str
    entity: str
    aggregate: Aggregate
    days: float
    delay: float = 0
    value: str | None = None
    rows: int = MAX_ROWS

    def __post_init__(self) -> None:
        """Raise ValueError for a window that cannot be computed."""
        if self.days <= 0 or self.delay < 0 or self.rows < 1:
            raise ValueError(f"{self.name}: days and rows must be above 0, and a delay at least 0")
        if (self.value is None) != (self.aggregate == "count"):
            raise ValueError(f"{self.name}: count takes no value, every other aggregate needs one")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns that this feature reads, beside timestamp and entity."""
        return () if self.value is None else (self.value,)


Feature: TypeAlias = Derived | Window


def meanings(features: Sequence[Feature]) -> dict[str, str]:
    """Return what each feature means; of a window, also what it aggregates."""
    return {f.name: f"{f.description}{_span(f)}" for f in features}


def _span(feature: Feature) -> str:
    if isinstance(feature, Derived):
        return ""
    end = f" ending {feature.delay:g} d before" if feature.delay else ""
    what = f"{feature.aggregate} of {feature.value}" if feature.value else feature.aggregate
    return f" ({what} by {feature.entity}, {feature.days:g} d{end})"


def stream(
    features: Sequence[Feature], rows: Columns, at: Positions = EVERY_ROW
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield (name, values) in the order of declaration; free what is not read again.

    `rows` holds timestamp (int64 milliseconds, not decreasing), one integer code per row for each
    entity (`NO_ENTITY` where there is none), and the raw columns. Values are those of the rows
    `at`, each of which has every entity. If `at` has positions, a window that no feature reads is
    computed for these only. If it is a slice, every row is computed: look-ups in order are faster.

    Raises:
        ValueError: rows are not in order of time, or a window reads text or a missing or infinite
            value.
    """
    timestamp = rows["timestamp"].astype(np.int64, copy=False)
    if np.any(timestamp[1:] < timestamp[:-1]):
        raise ValueError("rows are not in order of time: sort them by timestamp first")
    columns = dict(rows)
    timelines: dict[str, _Timeline] = {}
    reach = max((f.delay + f.days for f in features if isinstance(f, Window)), default=0.0)
    last_reader = {name: i for i, feature in enumerate(features) for name in _reads(feature)}
    for i, feature in enumerate(features):
        here = EVERY_ROW
        if isinstance(feature, Derived):
            values = feature.function(*(columns[name] for name in feature.inputs))
        else:
            here = EVERY_ROW if isinstance(at, slice) or feature.name in last_reader else at
            if feature.entity not in timelines:
                timelines[feature.entity] = _Timeline(rows[feature.entity], timestamp, reach)
            values = timelines[feature.entity].values(feature, columns, here)
        columns[feature.name] = values
        yield feature.name, values[at] if here is EVERY_ROW else values
        for name in (feature.name, *_reads(feature)):
            if last_reader.get(name, -1) <= i:
                columns.pop(name, None)
                timelines.pop(name, None)


def _reads(feature: Feature) -> tuple[str, ...]:
    return (*feature.inputs, feature.entity) if isinstance(feature, Window) else feature.inputs


class _Timeline:
    """The rows of one entity after another, each entity's in order of time, on one time axis."""

    def __init__(self, entity: NDArray[Any], timestamp: NDArray[np.int64], reach: float) -> None:
        """Sort; between two entities leave a gap of `reach`, the longest window in days.

        With the gap, a search on the one axis stays inside the entity; as the axis spends on an
        entity only the time it was active, it cannot overflow.
        """
        codes = entity
        lowest = entity.min(initial=0)
        if lowest >= NO_ENTITY and entity.max(initial=0) < 2**16:
            codes = entity.astype(np.uint16)  # which numpy sorts by radix, several times faster
        self.order = np.argsort(codes, kind="stable")
        if lowest <= NO_ENTITY:
            self.order = self.order[entity[self.order] != NO_ENTITY]
        entity = entity[self.order]
        step = np.diff(timestamp[self.order])
        step[entity[1:] != entity[:-1]] = _milliseconds(reach)
        self.time = np.zeros(len(entity), dtype=np.int64)
        np.cumsum(step, out=self.time[1:])
        self.positions = np.zeros(len(codes), np.int64)
        self.positions[self.order] = np.arange(len(entity))
        self.next = np.arange(1, len(entity) + 1)
        self.counts: dict[tuple[float, bool], NDArray[np.int64]] = {}
        self.latest: tuple[object, NDArray[np.int64]] = None, self.time

    def values(self, window: Window, columns: Columns, at: Positions) -> NDArray[np.float64]:
        """Return the aggregate of the windows of rows, in the order of the table."""
        if at is not EVERY_ROW:
            return self.aggregate(window, columns, self.positions[at])
        values = np.zeros(len(self.positions))
        values[self.order] = self.aggregate(window, columns, EVERY_ROW)
        return values

    def aggregate(self, window: Window, columns: Columns, at: Positions) -> NDArray[np.float64]:
        """Return the aggregate of the windows of all rows, or of the rows `at`."""
        end = self.until(window.delay, at) if window.delay else self.next[at]
        first = np.maximum(self.until(window.delay + window.days, at), end - window.rows)
        if window.value is None:
            return (end - first).astype(np.float64)
        if window.aggregate in ("sum", "mean"):
            running = self.prepared(window, columns, _running)
            total = (running[end] - running[first]) / UNIT
            return total / np.maximum(end - first, 1) if window.aggregate == "mean" else total
        last_false = self.prepared(window, columns, _last_false)[end]
        if window.aggregate == "days_since_false":
            since = self.time[at] - self.time[last_false]
            none = _milliseconds(window.delay + window.days)
            return np.where(last_false >= first, since, none) / MILLISECONDS_A_DAY
        run: NDArray[np.int64] = np.maximum(last_false + 1, first)
        if window.aggregate == "run_length":
            return (end - run).astype(np.float64)
        age = self.time[at] - self.time[np.minimum(run, self.next[at] - 1)]
        return np.where(run < end, age, 0) / MILLISECONDS_A_DAY

    def until(self, days: float, at: Positions) -> NDArray[np.int64]:
        """Count the rows at or before t - days, along the whole axis."""
        key = days, at is EVERY_ROW  # of positions there is one choice for one timeline
        if key not in self.counts:
            moment = self.time[at] - _milliseconds(days)
            self.counts[key] = np.searchsorted(self.time, moment, side="right")
        return self.counts[key]

    def prepared(
        self, window: Window, columns: Columns, prepare: Callable[[NDArray[Any]], NDArray[np.int64]]
    ) -> NDArray[np.int64]:
        """Return what windows over a column share; only the latest is cached."""
        (name,) = window.inputs
        if self.latest[0] != (name, prepare):
            values = columns[name][self.order]
            problem = ""
            if values.dtype.kind not in "biuf":
                problem = "is not a number; declare a Derived number of it for the window to read"
            elif not np.isfinite(values).all():
                problem = "has missing or infinite values; fill or drop them"
            if problem:
                raise ValueError(f"{window.name}: the column {name} {problem}")
            self.latest = (name, prepare), prepare(values)
        return self.latest[1]


def _running(values: NDArray[Any]) -> NDArray[np.int64]:
    """Sum up to each position, in whole ten-thousandths: (rows + 1,)."""
    running = np.zeros(len(values) + 1, dtype=np.int64)
    running[1:] = np.rint(values * UNIT)
    return np.cumsum(running, out=running)


def _last_false(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the last row not true before each position, -1 where there is none: (rows + 1,)."""
    last = np.full(len(values) + 1, -1)
    np.maximum.accumulate(np.where(values != 0, -1, np.arange(len(values))), out=last[1:])
    return last


def _milliseconds(days: float) -> int:
    return round(days * MILLISECONDS_A_DAY)
