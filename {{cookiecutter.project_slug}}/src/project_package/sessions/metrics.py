"""Metrics of recommendations, the answer without a model, weeks and slices of the test."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import TIMESTAMP, Columns, length
from ..contract.training import Metric
from .features import HOUSEHOLD, objects
from .load import WEEK
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


def reciprocal_rank(rows: Columns, predictions: Columns) -> float:
    """Return the mean reciprocal rank of the first item that is bought; 0 if it is none of 20."""
    found = hits(rows, predictions)
    return float(np.mean(found.any(1) / (1 + found.argmax(1))))


def ndcg(rows: Columns, predictions: Columns) -> float:
    """Return the normalised discounted cumulative gain (Järvelin and Kekäläinen 2002)."""
    found = hits(rows, predictions)
    discounts = 1 / np.log2(np.arange(2, found.shape[1] + 2))
    ideal = np.cumsum(discounts)[np.minimum(sizes(rows), len(discounts)) - 1]
    return float(np.mean(found @ discounts / ideal))


def recall_of(repeated: bool, rows: Columns, predictions: Columns) -> float:
    """Return the recall of the items that were in the earlier baskets, or of the others."""
    shares = []
    columns = (rows["bought"], rows["again"], predictions["items"][:, :TOP_K].tolist())
    for bought, again, best in zip(*columns, strict=True):
        asked = again if repeated else [item for item in bought if item not in again]
        if asked:
            shares.append(sum(item in best for item in asked) / len(asked))
    return float(np.mean(shares)) if shares else np.nan


def coverage(_: Columns, predictions: Columns) -> float:
    """Count the different items that are recommended to someone."""
    return float(len({*predictions["items"][:, :TOP_K].ravel().tolist()}))


METRICS = (
    Metric(
        "recall",
        "Recall@20",
        lambda r, p: float(np.mean(recalls(r, p))),
        meaning="Share of the next basket that is among twenty recommended items.",
    ),
    Metric(
        "mrr",
        "MRR@20",
        reciprocal_rank,
        meaning="Mean of one over the rank of the first item that is bought.",
    ),
    Metric("ndcg", "NDCG@20", ndcg, meaning="Recall that counts items at the top more."),
    Metric(
        "recall_repeat",
        "Recall@20, bought before",
        partial(recall_of, True),
        meaning="Recall of the items that the household bought in the half year before.",
    ),
    Metric(
        "recall_new",
        "Recall@20, new",
        partial(recall_of, False),
        meaning="Recall of the items that it did not buy in the half year before.",
    ),
    Metric(
        "coverage",
        "Items recommended",
        coverage,
        meaning="How many different items are recommended to someone in a week.",
    ),
)


def weighted(rows: Columns, predictions: Columns) -> Callable[[Values], float]:
    """Return the recall as a function of row weights."""
    found = recalls(rows, predictions)
    return lambda weights: float(weights @ found / weights.sum()) if weights.any() else np.nan


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


def changed(one: Columns, two: Columns) -> NDArray[np.bool_]:
    """Return the rows whose best items differ; items with one score may change places."""
    most = min(one["items"].shape[1], two["items"].shape[1])  # a catalogue can be smaller
    differ = one["items"][:, :most] != two["items"][:, :most]
    found = np.zeros(len(differ), np.bool_)
    for row in np.flatnonzero(differ.any(axis=1)):
        scores = dict(zip(one["items"][row], one["scores"][row].tolist(), strict=True))
        pairs = zip(one["items"][row, :most], two["items"][row, :most], strict=True)
        last = one["scores"][row, -1]  # other items have no more than this
        found[row] = any(abs(scores[a] - scores.get(b, last)) > 1e-5 for a, b in pairs)
    return found


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
