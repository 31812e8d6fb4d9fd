"""Metrics, the naive answer and slices of the segments project.

Nobody knows the true segment of a household. What can be measured: whether segments are apart
(silhouette), whether other households would give the same ones (stability), and whether they differ
in what the model never saw (the outside check).

Rows carry the features, `part` and the traits; predictions carry segment (rows,) and resampled
(rows, resamples): the segment in clusterings of resampled households.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.preprocessing import scale

from ..columns import Columns, length
from ..contract.training import Metric
from .features import TRAITS, to_positions

RESAMPLES = 20
"""Clusterings of resampled households, for the stability."""
TIERS = 3
"""Segments of the naive answer: thirds of spending."""
BASKET_BANDS = {"under 10 baskets": (0, 10), "10-39 baskets": (10, 40), "40+ baskets": (40, np.inf)}


def standard(rows: Columns) -> NDArray[Any]:
    """Return positions with mean 0 and standard deviation 1: (rows, features)."""
    return np.asarray(scale(to_positions(rows)))


def silhouette(rows: Columns, segment: NDArray[Any]) -> Callable[[NDArray[Any]], float]:
    """Return the mean silhouette (Rousseeuw 1987) as a function of row weights.

    A weight counts a row several times, but never as its own neighbour. Distances are between
    standardised positions, all features alike, so that every model is measured alike. A row that is
    alone in its segment has 0; with one segment the silhouette is NaN.
    """
    positions = standard(rows)
    apart = cdist(positions, positions)
    numbers, codes = np.unique(segment, return_inverse=True)
    member = codes[:, None] == np.arange(len(numbers))

    def score(weights: NDArray[Any]) -> float:
        masses = member * weights[:, None]
        size = masses.sum(axis=0) - masses  # of each segment, without the row itself
        mean = np.divide(apart @ masses, size, out=np.full(size.shape, np.inf), where=size > 0)
        inside = np.where(member, mean, 0).sum(axis=1)
        nearest = np.where(member, np.inf, mean).min(axis=1)
        counts = (weights > 0) & np.isfinite(nearest)
        if not counts.any():
            return float("nan")
        alone = ~np.isfinite(inside)
        larger = np.maximum(np.where(alone, 1, inside), nearest)
        values = np.where(alone, 0, (nearest - inside) / np.where(larger > 0, larger, 1))
        return float(np.average(values[counts], weights=weights[counts]))

    return score


def agreement(one: NDArray[Any], two: NDArray[Any], weights: NDArray[Any]) -> float:
    """Return the adjusted Rand index (Hubert and Arabie 1985) of two partitions of weighted rows.

    1 for equal partitions, about 0 for independent ones; NaN when there are fewer than two rows.
    """
    first, second = (np.unique(codes, return_inverse=True)[1] for codes in (one, two))
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), weights)
    together, rows, columns, pairs = (
        float(np.sum(counts * (counts - 1))) / 2
        for counts in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    if pairs <= 0:
        return float("nan")
    by_chance, most = rows * columns / pairs, (rows + columns) / 2
    return (together - by_chance) / (most - by_chance) if most > by_chance else 1.0


def stability(predictions: Columns) -> Callable[[NDArray[Any]], float]:
    """Return the mean agreement with the resampled clusterings as a function of row weights."""
    segment, others = predictions["segment"], predictions["resampled"].T
    return lambda weights: float(np.mean([agreement(segment, o, weights) for o in others]))


def quality(rows: Columns, predictions: Columns) -> Callable[[NDArray[Any]], float]:
    """Return silhouette times stability (a negative silhouette alone) by row weights."""
    apart, stable = silhouette(rows, predictions["segment"]), stability(predictions)

    def score(weights: NDArray[Any]) -> float:
        value = apart(weights)
        return value * stable(weights) if value > 0 else value

    return score


def once(rows: Columns) -> NDArray[Any]:
    """Return weights that count each row once."""
    return np.ones(length(rows))


METRICS = (
    Metric(
        "quality",
        "Silhouette times stability",
        lambda r, p: quality(r, p)(once(r)),
        meaning="High when segments are far apart and other samples of households give the same "
        "segments.",
    ),
    Metric(
        "silhouette",
        "Silhouette",
        lambda r, p: silhouette(r, p["segment"])(once(r)),
        meaning="How much nearer households are to their own segment than to the next, from -1 "
        "to 1.",
    ),
    Metric(
        "stability",
        "Stability, adjusted Rand index",
        lambda r, p: stability(p)(once(r)),
        meaning=f"How far {RESAMPLES} clusterings of other samples of households agree: 1 is "
        "entirely, 0 by chance.",
    ),
)


def naive(rows: Columns) -> Columns:
    """Answer without a model: thirds of spending, in these rows and in resamples of them."""
    spending, random = rows["spending"], np.random.default_rng(0)
    levels = np.arange(1, TIERS) / TIERS
    samples = [spending, *(random.choice(spending, len(spending)) for _ in range(RESAMPLES))]
    tiers = [np.searchsorted(np.quantile(s, levels), spending, side="right") for s in samples]
    return {"segment": tiers[0], "resampled": np.column_stack(tiers[1:])}


def matched(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """Renumber new segments like the old ones that they share most rows with: (rows,).

    New segments that are left over get numbers that no old one has.
    """
    size = int(max(old.max(), new.max())) + 1
    shared = np.bincount(old * size + new, minlength=size * size).reshape(size, size)
    numbers = np.empty(size, np.int64)
    rows, columns = linear_sum_assignment(shared, maximize=True)
    numbers[columns] = rows
    known = np.isin(numbers, np.unique(old))
    return np.asarray(np.where(known, numbers, size + np.arange(size))[new])


def changed(old: Columns, new: Columns) -> NDArray[np.bool_]:
    """Return the households that moved, whatever the numbers of the segments are: (rows,)."""
    return np.asarray(matched(old["segment"], new["segment"]) != old["segment"])


def explained(values: NDArray[Any], segment: NDArray[Any]) -> float:
    """Return the share of the variance of ranks that segments explain: eta squared.

    It is Kruskal and Wallis's statistic (1952) over the number of rows less one.
    """
    ranks, codes = rankdata(values), np.unique(segment, return_inverse=True)[1]
    means = np.bincount(codes, ranks) / np.bincount(codes)
    return float(np.var(means[codes]) / np.var(ranks))


def known(rows: Columns) -> NDArray[np.bool_]:
    """Return the households with every trait that is known of any household: (rows,)."""
    finite = np.isfinite([rows[name] for name in TRAITS])
    present = finite.any(axis=1)
    return np.asarray(finite[present].all(axis=0) & present.any())


def outside(
    rows: Columns, segment: NDArray[Any], draws: int = 999
) -> dict[str, tuple[float, float]]:
    """Check whether segments differ in what the model never saw: share explained and p, by trait.

    The p is of a permutation test: how often random segments explain as much, with Laplace's one
    added. The entry `all` is of the mean share over the traits, one test for all of them. Traits
    that are equal in all households are left out; the result may be empty.
    """
    mask = known(rows)
    traits = {name: rows[name][mask] for name in TRAITS if len(np.unique(rows[name][mask])) > 1}
    if not traits or len(np.unique(segment[mask])) < 2:
        return {}
    random = np.random.default_rng(0)

    def shares(segments: NDArray[Any]) -> NDArray[Any]:
        each = [explained(values, segments) for values in traits.values()]
        return np.array([*each, np.mean(each)])

    mine = shares(segment[mask])
    drawn = np.array([shares(random.permutation(segment[mask])) for _ in range(draws)])
    p = (1 + np.sum(drawn >= mine - 1e-9, axis=0)) / (draws + 1)  # counts rounding errors as equal
    return {name: (float(mine[i]), float(p[i])) for i, name in enumerate((*traits, "all"))}


def slices(rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Return slices by the number of baskets, and by whether traits are known."""
    count, mask = rows["baskets"], known(rows)
    bands = {name: (count >= low) & (count < high) for name, (low, high) in BASKET_BANDS.items()}
    return {**bands, "traits known": mask, "traits not known": ~mask}
