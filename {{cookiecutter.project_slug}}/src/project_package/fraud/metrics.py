"""Metrics, baseline and slices of the fraud project.

Rows carry `is_fraud`, `amount`, `review_cost` (both in the same currency), `day` (days since
1970), `customer` (one code a card) and the features; predictions carry `score`, and `decision`
where a threshold was chosen. Definitions follow Le Borgne et al. 2022, chapter 4.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ..contract import Columns, Goal, Metric

Bools = NDArray[np.bool_]
Numbers = NDArray[Any]

CARDS_A_DAY = 100
AMOUNT_BANDS = (0, 20, 50, 100, 220, np.inf)
SCENARIOS = {1: "large amount", 2: "terminal taken over", 3: "card stolen"}


def average_precision(labels: Bools, scores: Numbers, weights: Numbers | None = None) -> float:
    """Give the area under precision over recall as a step function; NaN without positives.

    All of shape (rows,). Rows of equal score count together. `weights` counts rows several times.
    """
    even = np.ones(len(labels))
    return weighted_average_precision(labels, scores)(even if weights is None else weights)


def weighted_average_precision(labels: Bools, scores: Numbers) -> Callable[[Numbers], float]:
    """Give average precision as a function of row weights; the rows are sorted only once."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    positive = labels[order].astype(np.float64)

    def score(weights: Numbers) -> float:
        weight = weights[order]
        hits = np.cumsum(weight * positive)[ends]
        found = np.cumsum(weight)[ends]
        precision = np.divide(hits, found, out=np.zeros(len(ends)), where=found > 0)
        if not hits[-1]:
            return float("nan")
        return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])

    return score


def auc(labels: Bools, scores: Numbers) -> float:
    """Give the chance that a fraud scores above a genuine payment; NaN when a class is missing."""
    both = labels.any() and not labels.all()
    return float(roc_auc_score(labels, scores)) if both else float("nan")


def card_precision(rows: Columns, scores: Numbers, k: int = CARDS_A_DAY) -> float:
    """Give the mean over days of the share of compromised cards among the k cards highest.

    A card's score and label of a day are the largest of its payments; a card that was caught (in
    the k highest and compromised) leaves the following days.
    """
    day, customer, labels = rows["day"], rows["customer"], rows["is_fraud"]
    caught = np.empty(0, dtype=customer.dtype)
    precisions = []
    for today in np.unique(day):
        now = np.flatnonzero((day == today) & ~np.isin(customer, caught))
        card, place = np.unique(customer[now], return_inverse=True)
        score = np.full(len(card), -np.inf)
        np.maximum.at(score, place, scores[now])
        label = np.zeros(len(card), dtype=np.bool_)
        np.logical_or.at(label, place, labels[now])
        top = np.argsort(-score, kind="stable")[:k]
        precisions.append(label[top].sum() / k)
        caught = np.append(caught, card[top[label[top]]])
    return float(np.mean(precisions))


def cost(rows: Columns, decision: Bools) -> float:
    """Give what 1,000 payments cost: each flagged one a review, each missed fraud its amount."""
    missed = np.sum(rows["amount"][rows["is_fraud"] & ~decision], dtype=np.float64)
    return float((missed + rows["review_cost"][decision].sum()) / len(decision) * 1000)


def calibration_error(labels: Bools, scores: Numbers, bins: int = 20) -> float:
    """Give the expected calibration error over bins of equal size (Naeini et al. 2015)."""
    parts = np.array_split(np.argsort(scores, kind="stable"), bins)
    gaps = [abs(np.sum(scores[part], dtype=np.float64) - labels[part].sum()) for part in parts]
    return float(sum(gaps) / len(labels))


def threshold_costs(rows: Columns, scores: Numbers) -> tuple[Numbers, Numbers]:
    """Give every distinct score as a threshold, highest first, and what 1,000 payments cost there.

    Both of shape (distinct scores,): a payment is flagged when it scores at least that much.
    """
    falling, place = np.unique(-scores.astype(np.float64), return_inverse=True)
    losses = np.where(rows["is_fraud"], rows["amount"], 0.0)
    spent = np.cumsum(np.bincount(place, rows["review_cost"] - losses))
    return -falling, (losses.sum() + spent) / len(scores) * 1000


def threshold(rows: Columns, scores: Numbers) -> float:
    """Give the threshold of least cost, midway between two scores: a last bit decides nothing."""
    falling, costs = threshold_costs(rows, scores)
    nothing = cost(rows, np.zeros(len(scores), np.bool_))
    best = int(np.argmin([nothing, *costs]))
    bounds = np.concatenate([falling[:1] + 1, falling, falling[-1:]])
    return float((bounds[best] + bounds[best + 1]) / 2)


METRICS = (
    Metric("ap", "Average precision", lambda r, p: average_precision(r["is_fraud"], p["score"])),
    Metric("auc", "AUC ROC", lambda r, p: auc(r["is_fraud"], p["score"])),
    Metric(
        "cp100",
        "Card precision@100",
        lambda r, p: card_precision(r, p["score"]),
        ceiling=lambda r: card_precision(r, r["is_fraud"].astype(np.float64)),
    ),
    Metric(
        "cost",
        "Cost of 1,000 payments",
        lambda r, p: cost(r, p["decision"]),
        higher_is_better=False,
    ),
    Metric(
        "calibration",
        "Calibration error",
        lambda r, p: calibration_error(r["is_fraud"], p["score"]),
        higher_is_better=False,
    ),
)
GOAL = Goal("ap", 0.5, lambda r, p: weighted_average_precision(r["is_fraud"], p["score"]))


def naive(rows: Columns) -> Columns:
    """Without a model: the larger the amount the more suspect; none is flagged.

    The score is the amount's rank times twice the base rate of one in a hundred, so that it can
    be read as a probability.
    """
    rank = np.argsort(np.argsort(rows["amount"], kind="stable")) / max(len(rows["amount"]), 1)
    return {"score": (rank * 0.02).astype(np.float32), "decision": np.zeros(len(rank), np.bool_)}


def weeks(rows: Columns) -> Numbers:
    """Give the week of the test that each row is in, from 0."""
    week: Numbers = (rows["day"] - rows["day"].min()) // 7
    return week


def slices(rows: Columns) -> Mapping[str, Bools]:
    """Cut by amount, night, history of the terminal, and scenario where it is known."""
    bands = {
        f"amount {low}-{high}" if np.isfinite(high) else f"amount {low}+": (rows["amount"] >= low)
        & (rows["amount"] < high)
        for low, high in pairwise(AMOUNT_BANDS)
    }
    times = {"night": rows["is_night"] > 0, "day": rows["is_night"] == 0}
    history = rows["terminal_count_30d"] > 0
    terminals = {"terminal with history": history, "terminal without history": ~history}
    found = {**bands, **times, **terminals}
    if "scenario" in rows:
        genuine = rows["scenario"] == 0
        found |= {
            f"scenario {name}": genuine | (rows["scenario"] == number)
            for number, name in SCENARIOS.items()
        }
    return found
