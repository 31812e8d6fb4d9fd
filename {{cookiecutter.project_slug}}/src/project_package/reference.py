"""The reference of a model: how the monitored values of its test rows were distributed.

A bundle has it as bins and shares, without rows, so that a job with the bundle alone can compare.
A bin is a range of numbers between two deciles, or a category; values that are missing have one
too.
"""

from collections import Counter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .columns import Columns, length
from .frozen import Frozen

REFERENCE = "reference.json"
BINS = 10
MARGIN = 0.01
"""Of the range of numbers: values that are further outside are unexpected."""
CATEGORIES = 30
"""How many categories have a bin of their own: the most frequent."""
Counts: TypeAlias = NDArray[np.int64]


class Numbers(Frozen):
    """A column of numbers; a bin begins after one edge and ends with the next."""

    edges: tuple[float, ...]
    low: float
    high: float
    """The smallest and the largest value; NaN is missing."""
    counts: tuple[int, ...] = ()
    usual: float = 0.0
    """The largest stability index of a period of the test against all of it, less chance."""

    def count(self, values: NDArray[Any]) -> Counts:
        """Count values, (rows,), by bin: between edges, and missing, (edges + 2,)."""
        numbers = values.astype(np.float64)
        is_missing = np.isnan(numbers)
        bins = np.searchsorted(self.edges, numbers[~is_missing])
        present = np.bincount(bins, minlength=len(self.edges) + 1)
        return np.append(present, is_missing.sum())

    def unexpected(self, values: NDArray[Any]) -> float:
        """Return the share of values, (rows,), that are clearly outside the range of the reference.

        That is by more than a hundredth of the range: new extremes are usual.
        """
        margin = MARGIN * (self.high - self.low)
        return float(np.mean((values < self.low - margin) | (values > self.high + margin)))


class Categories(Frozen):
    """A column of categories; one that is empty is missing."""

    names: tuple[str, ...]
    counts: tuple[int, ...] = ()
    usual: float = 0.0
    """As of numbers."""

    def count(self, values: NDArray[Any]) -> Counts:
        """Count values, (rows,), by bin: categories, all others, and missing, (names + 2,)."""
        found = Counter(values.tolist())
        known = [found[name] for name in self.names]
        missing = found[""] + found[None]
        return np.array([*known, len(values) - sum(known) - missing, missing])

    def unexpected(self, values: NDArray[Any]) -> float:
        """Return the share of categories without a bin; 0 if the reference has some too."""
        return 0.0 if self.counts[-2] else float(self.count(values)[-2] / len(values))


Column: TypeAlias = Numbers | Categories


class Calibration(Frozen):
    """The share of rows that were of a class by its probability, as points of a line."""

    probabilities: tuple[float, ...]
    shares: tuple[float, ...]


class Reference(Frozen):
    """The test rows."""

    columns: dict[str, Column]
    """The monitored columns."""
    rows: int
    outputs: tuple[str, ...] = ()
    """Those of them that come from predictions: see `Task.outputs`."""
    calibrations: tuple[Calibration, ...] = ()
    """Of each class; none if predictions have no probabilities."""

    def calibrate(self, probabilities: NDArray[Any]) -> NDArray[np.float64]:
        """Return the shares that test rows with such probabilities had, (rows, classes)."""
        columns = zip(probabilities.T, self.calibrations, strict=True)
        shares = np.array([np.interp(c, k.probabilities, k.shares) for c, k in columns]).T
        total = shares.sum(axis=1, keepdims=True)
        return np.where(total > 0, shares / np.where(total > 0, total, 1), probabilities)


def stability_index(expected: Counts, found: Counts) -> float:
    """Return the population stability index of counts by bin; half a row is added to each bin."""
    before = (expected + 0.5) / (expected + 0.5).sum()
    now = (found + 0.5) / (found + 0.5).sum()
    return float(np.sum((now - before) * np.log(now / before)))


def describe(
    columns: Columns,
    periods: NDArray[Any] | None = None,
    calibrations: tuple[Calibration, ...] = (),
    outputs: tuple[str, ...] = (),
) -> Reference:
    """Describe the distribution of monitored columns.

    Args:
        columns: monitored values of the test rows, (rows,) each.
        periods: the period of each row, such as its week, (rows,): what periods differ in is usual.
        calibrations: of the probabilities of the predictions.
        outputs: the columns that come from predictions.
    """
    bins: dict[str, Column] = {}
    for name, values in columns.items():
        is_number = values.dtype.kind in "fiub"
        column = _number_bins(values) if is_number else _category_bins(values)
        counts = column.count(values)
        usual = 0.0
        for period in np.unique(periods) if periods is not None else ():
            part = column.count(values[periods == period])
            chance = (len(part) - 1) / part.sum()  # the expected index of a sample of this size
            usual = max(usual, stability_index(counts, part) - chance)
        changes = {"counts": tuple(counts.tolist()), "usual": usual}
        bins[name] = column.model_copy(update=changes)
    return Reference(columns=bins, rows=length(columns), calibrations=calibrations, outputs=outputs)


def _number_bins(values: NDArray[Any]) -> Numbers:
    numbers = values.astype(np.float64)
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        return Numbers(edges=(), low=0, high=0)
    # Values between edges are at least as many as a tenth: a frequent one has a bin of its own.
    inner = np.quantile(present, np.arange(1, BINS) / BINS, method="inverted_cdf")
    edges = tuple(np.unique(inner).tolist())
    return Numbers(edges=edges, low=present.min(), high=present.max())


def _category_bins(values: NDArray[Any]) -> Categories:
    frequent = Counter(values.tolist())
    del frequent[""], frequent[None]
    return Categories(names=tuple(name for name, _ in frequent.most_common(CATEGORIES)))
