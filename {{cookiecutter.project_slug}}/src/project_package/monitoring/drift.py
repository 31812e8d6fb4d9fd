"""Drift: how far the values of a window are from the reference, column by column.

A test says whether a difference is more than chance, the population stability index whether it is
large: with many rows, a difference that does not matter is not chance either.
"""

import numpy as np
from scipy import stats

from ..columns import Columns, length
from ..frozen import Frozen
from ..params import Monitor
from ..reference import Column, Counts, Numbers, Reference, stability_index

SMALLEST = 5
"""A chi-square test needs so many expected values in a bin: smaller bins are merged."""


class Drift(Frozen):
    """One column of a window against the reference."""

    name: str
    psi: float
    """Population stability index: .1 is a small difference, .25 a large one."""
    usual: float
    """The largest one of a period of the test rows."""
    test: str
    p_value: float
    """Corrected for the number of columns (Benjamini and Hochberg 1995)."""
    missing: float
    """Share of missing values now, and in the reference."""
    missing_before: float
    unexpected: float
    """Share of numbers outside the range, or of categories that are new: see `Categories`."""
    is_drifted: bool
    is_broken: bool
    """More values are missing or unexpected than the limit allows."""


def compare(reference: Reference, window: Columns, params: Monitor) -> list[Drift]:
    """Compare the columns of a window, (rows,) each, with the reference."""
    names = [name for name in reference.columns if name in window]
    bins = [reference.columns[name] for name in names]
    counts = [column.count(window[name]) for name, column in zip(names, bins, strict=True)]
    tests = [two_sample_test(column, found) for column, found in zip(bins, counts, strict=True)]
    p_values = stats.false_discovery_control([p for _, p in tests]) if tests else []
    rows = length(window)
    drifts = []
    for name, column, found, (kind, _), p in zip(names, bins, counts, tests, p_values, strict=True):
        before = column.counts[-1] / reference.rows
        missing = found[-1] / rows
        unexpected = 0.0 if name in reference.outputs else column.unexpected(window[name])
        index = stability_index(np.array(column.counts), found)
        excess = max(missing - before, unexpected)
        drifts.append(
            Drift(
                name=name,
                psi=index,
                usual=column.usual,
                test=kind,
                p_value=float(p),
                missing=missing,
                missing_before=before,
                unexpected=unexpected,
                is_drifted=bool(index > params.psi + column.usual and p < params.p_value),
                is_broken=bool(excess > params.broken),
            )
        )
    return drifts


def two_sample_test(column: Column, found: Counts) -> tuple[str, float]:
    """Return the name and the p-value of a two-sample test of counts against the reference.

    Numbers have the test of Kolmogorov and Smirnov, with the distributions compared at the edges of
    the bins; categories, and missing values, the chi-square test.
    """
    expected = np.array(column.counts)
    if isinstance(column, Numbers):
        return "Kolmogorov-Smirnov", min(
            1.0, 2 * min(_ks(expected, found), _missing(expected, found))
        )
    return "chi-square", chi_square(expected, found)


def chi_square(expected: Counts, found: Counts) -> float:
    """Return the p-value that both are drawn from one distribution; small bins are merged."""
    share = found.sum() / max(expected.sum(), 1)
    is_small = (expected + found) * min(share / (1 + share), 1 / (1 + share)) < SMALLEST
    table = np.array([np.append(c[~is_small], c[is_small].sum()) for c in (expected, found)])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def _ks(expected: Counts, found: Counts) -> float:
    sizes = [counts[:-1].sum() for counts in (expected, found)]
    if not all(sizes):
        return 1.0
    before, now = (np.cumsum(c[:-1]) / s for c, s in zip((expected, found), sizes, strict=True))
    root = np.sqrt(sizes[0] * sizes[1] / sum(sizes))
    return float(stats.kstwobign.sf(root * np.max(np.abs(before - now))))


def _missing(expected: Counts, found: Counts) -> float:
    table = [np.array([counts[:-1].sum(), counts[-1]]) for counts in (expected, found)]
    return chi_square(*table)
