"""Metrics, the naive answer and slices of the segments project.

Nobody knows the true segment of a household. What can be measured: whether segments are apart
(silhouette), whether other households would give the same ones (stability), and whether they differ
in what the model never saw (the outside check).

Rows carry the features, `part` and the traits; predictions carry segment (rows,) and resampled
(rows, resamples): the segment in clusterings of resampled households.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import rankdata
from sklearn.metrics import silhouette_samples
from sklearn.preprocessing import scale

from ..columns import Columns
from ..contract.training import Metric, Weights
from .features import TRAITS, to_positions

RESAMPLES = 20
"""Clusterings of resampled households, for the stability."""
TIERS = 3
"""Segments of the naive answer: thirds of spending."""
BASKET_BANDS = {"under 10 baskets": (0, 10), "10-39 baskets": (10, 40), "40+ baskets": (40, np.inf)}


def standard(rows: Columns) -> NDArray[Any]:
    """Return positions with mean 0 and standard deviation 1: (rows, features)."""
    return np.asarray(scale(to_positions(rows)))


def with_distances(rows: Columns, predictions: Columns) -> Columns:
    """Return segment and resampled, with the distances between all households: (rows, rows).

    Distances are between standardised positions, all features alike, so that every model is
    measured alike.
    """
    positions = standard(rows)
    segments = {name: predictions[name] for name in ("segment", "resampled")}
    return {**segments, "distances": cdist(positions, positions)}


def silhouette(distances: NDArray[Any], segment: NDArray[Any], weights: Weights) -> float:
    """Return the mean silhouette (Rousseeuw 1987) of distances, (rows, rows), and segments.

    A weight counts a row several times, but never as its own neighbour. A row that is alone in its
    segment has 0; with one segment the silhouette is NaN.
    """
    numbers, codes = np.unique(segment, return_inverse=True)
    member = codes[:, None] == np.arange(len(numbers))
    masses = member * weights[:, None]
    size = masses.sum(axis=0) - masses  # of each segment, without the row itself
    mean = np.divide(distances @ masses, size, out=np.full(size.shape, np.inf), where=size > 0)
    inside = np.where(member, mean, 0).sum(axis=1)
    nearest = np.where(member, np.inf, mean).min(axis=1)
    counts = (weights > 0) & np.isfinite(nearest)
    if not counts.any():
        return float("nan")
    alone = ~np.isfinite(inside)
    larger = np.maximum(np.where(alone, 1, inside), nearest)
    values = np.where(alone, 0, (nearest - inside) / np.where(larger > 0, larger, 1))
    return float(np.average(values[counts], weights=weights[counts]))


def silhouettes(rows: Columns, predictions: Columns) -> NDArray[np.float64]:
    """Return the silhouette of each row among all rows: (rows,)."""
    return np.asarray(silhouette_samples(standard(rows), predictions["segment"]))


def agreement(first: NDArray[Any], second: NDArray[Any], weights: Weights) -> float:
    """Return the adjusted Rand index (Hubert and Arabie 1985) of two partitions of weighted rows.

    Partitions number their parts from 0. 1 for equal partitions, about 0 for independent ones; NaN
    when there are fewer than two rows.
    """
    shape = (int(first.max()) + 1, int(second.max()) + 1)
    cells = np.bincount(first * shape[1] + second, weights, minlength=shape[0] * shape[1])
    table = cells.reshape(shape)
    together, rows, columns, pairs = (
        float(np.sum(counts * (counts - 1))) / 2
        for counts in (table, table.sum(axis=1), table.sum(axis=0), table.sum())
    )
    if pairs <= 0:
        return float("nan")
    by_chance = rows * columns / pairs
    most = (rows + columns) / 2
    return (together - by_chance) / (most - by_chance) if most > by_chance else 1.0


def stability(_: Columns, predictions: Columns, weights: Weights) -> float:
    """Return the mean agreement of the segments with the resampled clusterings."""
    segment = predictions["segment"]
    others = predictions["resampled"].T
    return float(np.mean([agreement(segment, other, weights) for other in others]))


def separation(_: Columns, prepared: Columns, weights: Weights) -> float:
    """Return the silhouette of what `with_distances` returns."""
    return silhouette(prepared["distances"], prepared["segment"], weights)


def quality(rows: Columns, prepared: Columns, weights: Weights) -> float:
    """Return silhouette times stability (a negative silhouette alone)."""
    apart = separation(rows, prepared, weights)
    return apart * stability(rows, prepared, weights) if apart > 0 else apart


QUALITY = Metric(
    "quality",
    "Silhouette times stability",
    quality,
    prepare=with_distances,
    meaning="High when segments are far apart and other samples of households give the same "
    "segments.",
)
SILHOUETTE = Metric(
    "silhouette",
    "Silhouette",
    separation,
    prepare=with_distances,
    meaning="How much nearer households are to their own segment than to the next, from -1 to 1.",
)
STABILITY = Metric(
    "stability",
    "Stability, adjusted Rand index",
    stability,
    meaning=f"How far {RESAMPLES} clusterings of other samples of households agree: 1 is "
    "entirely, 0 by chance.",
)
METRICS = (QUALITY, SILHOUETTE, STABILITY)


def naive(rows: Columns) -> Columns:
    """Answer without a model: thirds of spending, in these rows and in resamples of them."""
    spending = rows["spending"]
    random = np.random.default_rng(0)
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


def segments_differ(old: Columns, new: Columns) -> NDArray[np.bool_]:
    """Return the households that moved, whatever the numbers of the segments are: (rows,)."""
    return np.asarray(matched(old["segment"], new["segment"]) != old["segment"])


def explained(values: NDArray[Any], segment: NDArray[Any]) -> float:
    """Return the share of the variance of ranks that segments explain: eta squared.

    It is Kruskal and Wallis's statistic (1952) over the number of rows less one.
    """
    ranks = rankdata(values)
    codes = np.unique(segment, return_inverse=True)[1]
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
    count = rows["baskets"]
    mask = known(rows)
    bands = {name: (count >= low) & (count < high) for name, (low, high) in BASKET_BANDS.items()}
    return {**bands, "traits known": mask, "traits not known": ~mask}
