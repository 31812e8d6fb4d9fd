"""Metrics of recommendations, the answer without a model, weeks and slices of the test."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import TIMESTAMP, Columns, length, weighted_mean
from ..contract.training import Metric, Weights
from .dataset import WEEK
from .features import HOUSEHOLD, objects
from .schemas import MAX_COUNT

TOP_K = 20
"""How many items metrics look at."""
Values = NDArray[Any]


def hits(rows: Columns, predictions: Columns) -> Values:
    """Return which of the best 20 items are in the next basket: (rows, 20) bool."""
    pairs = zip(rows["bought"], predictions["items"][:, :TOP_K].tolist(), strict=True)
    return np.array([[item in bought for item in best] for bought, best in pairs]).reshape(
        length(rows), -1
    )


def sizes(rows: Columns) -> Values:
    """Return the number of items of the next baskets, unknown ones too."""
    return np.array([len(bought) for bought in rows["bought"]])


def recalls(rows: Columns, predictions: Columns) -> Values:
    """Return the share of each basket's items that are among the best 20."""
    return np.asarray(hits(rows, predictions).sum(1) / sizes(rows))


def reciprocal_ranks(rows: Columns, predictions: Columns) -> Values:
    """Return one over the rank of the first item that is bought; 0 if it is none of 20."""
    is_hit = hits(rows, predictions)
    return np.asarray(is_hit.any(1) / (1 + is_hit.argmax(1)))


def discounted_gains(rows: Columns, predictions: Columns) -> Values:
    """Return the normalised discounted cumulative gains (Järvelin and Kekäläinen 2002)."""
    is_hit = hits(rows, predictions)
    discounts = 1 / np.log2(np.arange(2, is_hit.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(sizes(rows), len(discounts)) - 1]
    return np.asarray(is_hit @ discounts / ideal)


def recalls_of(repeated: bool, rows: Columns, predictions: Columns) -> Values:
    """Return the recalls of the items that were in the earlier baskets, or of the others.

    A basket without such items has NaN.
    """
    shares = []
    columns = (rows["bought"], rows["again"], predictions["items"][:, :TOP_K].tolist())
    for bought, again, best in zip(*columns, strict=True):
        asked = again if repeated else [item for item in bought if item not in again]
        shares.append(sum(item in best for item in asked) / len(asked) if asked else np.nan)
    return np.array(shares)


def is_new(rows: Columns, predictions: Columns) -> Values:
    """Return which of the best 20 items the household has not bought: (rows, 20) bool."""
    known = ({*chain.from_iterable(baskets)} for baskets in rows["baskets"])
    lists = zip(known, predictions["items"][:, :TOP_K].tolist(), strict=True)
    return np.array([[item not in bought for item in best] for bought, best in lists])


def novelty(rows: Columns, predictions: Columns) -> Values:
    """Return the share of new items in each list: the exploration ratio (Li et al. 2021)."""
    return np.asarray(is_new(rows, predictions).mean(1))


def new_hits(rows: Columns, predictions: Columns) -> Values:
    """Return the share of the new items of each list that are bought; NaN if it has none."""
    new = is_new(rows, predictions)
    with np.errstate(invalid="ignore"):
        return np.asarray((new & hits(rows, predictions)).sum(1) / new.sum(1))


def coverage(_: Columns, predictions: Columns, weights: Weights) -> float:
    """Count the different items that are recommended to someone who has a weight."""
    return float(len({*predictions["items"][weights > 0, :TOP_K].ravel().tolist()}))


def mean_of(
    values: Callable[[Columns, Columns], Values], name: str, label: str, meaning: str
) -> Metric:
    """Return the metric that is the mean of a value of each basket that has one."""

    def compute(_: Columns, prepared: Columns, weights: Weights) -> float:
        value = prepared["value"]
        known = ~np.isnan(value)
        return weighted_mean(value[known], weights[known])

    def prepare(rows: Columns, predictions: Columns) -> Columns:
        return {"value": values(rows, predictions)}

    return Metric(name, label, compute, meaning=meaning, prepare=prepare)


METRICS = (
    mean_of(
        recalls,
        "recall",
        "Recall@20",
        "Share of the next basket that is among twenty recommended items.",
    ),
    mean_of(
        reciprocal_ranks,
        "mrr",
        "MRR@20",
        "Mean of one over the rank of the first item that is bought.",
    ),
    mean_of(discounted_gains, "ndcg", "NDCG@20", "Recall that counts items at the top more."),
    mean_of(
        partial(recalls_of, True),
        "recall_repeat",
        "Recall@20, bought before",
        "Recall of the items that the household bought in the year before.",
    ),
    mean_of(
        partial(recalls_of, False),
        "recall_new",
        "Recall@20, new",
        "Recall of the items that it did not buy in the year before.",
    ),
    mean_of(novelty, "novelty", "New items", "Share of the list that the household did not buy."),
    mean_of(new_hits, "new_hits", "New items bought", "Share of the new items that are bought."),
    Metric(
        "coverage",
        "Different items",
        coverage,
        meaning="How many different items are recommended to someone in a week.",
    ),
)


def naive(rows: Columns) -> Columns:
    """Recommend to everybody what was most often in the newest baskets before the rows.

    A household's newest is the one before its first row: those of later rows are among the rows.
    """
    first = np.unique(rows[HOUSEHOLD].astype(str), return_index=True)[1]
    newest = chain.from_iterable(basket for row in rows["baskets"][first] for basket in row[-1:])
    best = Counter(sorted(newest)).most_common(MAX_COUNT)
    items = np.tile(objects(item for item, _ in best), (length(rows), 1))
    counts = np.array([count for _, count in best], np.float32)
    return {"items": items, "scores": np.tile(counts / counts.sum(), (length(rows), 1))}


def lists_differ(first: Columns, second: Columns) -> NDArray[np.bool_]:
    """Return the rows, (rows,), whose lists of best items differ between two predictions.

    Items that have one score in the first predictions may change places.
    """
    most = min(first["items"].shape[1], second["items"].shape[1])  # a catalogue can be smaller
    differ = first["items"][:, :most] != second["items"][:, :most]
    rows = np.zeros(len(differ), np.bool_)
    for row in np.flatnonzero(differ.any(axis=1)):
        scores = dict(zip(first["items"][row], first["scores"][row].tolist(), strict=True))
        pairs = zip(first["items"][row, :most], second["items"][row, :most], strict=True)
        last = first["scores"][row, -1]  # other items have no more than this
        rows[row] = any(abs(scores[a] - scores.get(b, last)) > 1e-5 for a, b in pairs)
    return rows


def weeks(rows: Columns) -> Values:
    """Return the week of each row, counted back from the newest."""
    times = rows[TIMESTAMP]
    return np.asarray(-((times.max() - times) // WEEK))


def slices(rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Slice by the length of the history, and by the size of the basket."""
    known = np.array([len(baskets) for baskets in rows["baskets"]])
    size = sizes(rows)
    return {
        "new households": known < 3,
        "3-9 baskets": (known >= 3) & (known < 10),
        "10-29 baskets": (known >= 10) & (known < 30),
        "30+ baskets": known >= 30,
        "1-4 items": size < 5,
        "5-14 items": (size >= 5) & (size < 15),
        "15+ items": size >= 15,
    }
