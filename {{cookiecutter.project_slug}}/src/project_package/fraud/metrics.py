"""Metrics, the naive prediction and slices of the fraud project.

Rows have `is_fraud`, `amount`, `review_cost` (both in the same currency), `day` (days since 1970),
`customer` (one code a card) and the features; predictions have `score`, and `decision` where a
threshold was chosen. Definitions follow Le Borgne et al. 2022, chapter 4.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from ..columns import Columns
from ..contract.training import Metric

Values: TypeAlias = NDArray[Any]
SCENARIOS = {1: "large amount", 2: "compromised terminal", 3: "stolen card"}


def average_precision(labels: Values, scores: Values, weights: Values | None = None) -> float:
    """Compute average precision, (rows,) each, with weights of rows; NaN without positives."""
    if not np.any(labels if weights is None else labels * weights):
        return float("nan")
    return float(average_precision_score(labels, scores, sample_weight=weights))


def auc(labels: Values, scores: Values) -> float:
    """Compute the area under the ROC curve; NaN when a class is missing."""
    both = labels.any() and not labels.all()
    return float(roc_auc_score(labels, scores)) if both else float("nan")


def card_precision(rows: Columns, scores: Values, k: int = 100, seed: int = 0) -> float:
    """Compute the share of compromised cards among the k highest of a day, mean over days.

    A card's score and label of a day are the largest of its payments; a card that was caught (among
    the k highest and compromised) is left out of the following days. Cards of equal score come in
    random order, because ids may say something about fraud.
    """
    columns = {name: rows[name] for name in ("day", "customer", "is_fraud")}
    cards = (
        pl.DataFrame({**columns, "score": scores})
        .group_by("day", "customer")
        .agg(pl.col("score").max(), pl.col("is_fraud").any())
        .sort("day", "customer")  # so that the seed decides, not the order of the groups
        .sample(fraction=1, shuffle=True, seed=seed)
        .sort("day", -pl.col("score"), maintain_order=True)
    )
    caught: list[int] = []
    precisions = []
    for _, today in cards.group_by("day", maintain_order=True):
        top = today.filter(~pl.col("customer").is_in(caught)).head(k)
        found = top.filter("is_fraud")["customer"].to_list()
        precisions.append(len(found) / k)
        caught += found
    return float(np.mean(precisions))


def cost(rows: Columns, decision: Values) -> float:
    """Compute the cost of 1,000 payments: reviews of flagged ones, amounts of missed frauds."""
    missed = np.sum(rows["amount"][rows["is_fraud"] & ~decision], dtype=np.float64)
    return float((missed + rows["review_cost"][decision].sum()) / len(decision) * 1000)


def calibration_error(labels: Values, scores: Values, bins: int = 20) -> float:
    """Compute the expected calibration error over bins of equal size (Naeini et al. 2015)."""
    parts = np.array_split(np.argsort(scores, kind="stable"), bins)
    gaps = [abs(np.sum(scores[part], dtype=np.float64) - labels[part].sum()) for part in parts]
    return float(sum(gaps) / len(labels))


def threshold_costs(rows: Columns, scores: Values) -> tuple[Values, Values]:
    """Return every distinct score as a threshold, highest first, and the cost of 1,000 payments.

    Both of shape (distinct scores,): a payment is flagged when its score is at least that.
    """
    falling, code = np.unique(-scores.astype(np.float64), return_inverse=True)
    losses = np.where(rows["is_fraud"], rows["amount"], 0.0)
    spent = np.cumsum(np.bincount(code, rows["review_cost"] - losses))
    return -falling, (losses.sum() + spent) / len(scores) * 1000


def threshold(rows: Columns, scores: Values) -> float:
    """Return the threshold of least cost, midway between two scores, out of reach of rounding."""
    falling, costs = threshold_costs(rows, scores)
    nothing = cost(rows, np.zeros(len(scores), np.bool_))
    best = int(np.argmin([nothing, *costs]))
    bounds = np.concatenate([falling[:1] + 1, falling, falling[-1:]])
    return float((bounds[best] + bounds[best + 1]) / 2)


METRICS = (
    Metric(
        "ap",
        "Average precision",
        lambda r, p: average_precision(r["is_fraud"], p["score"]),
        meaning="The precision at the rank of each fraud, averaged over all frauds.",
    ),
    Metric(
        "auc",
        "AUC ROC",
        lambda r, p: auc(r["is_fraud"], p["score"]),
        meaning="How often a fraud has a higher score than a genuine payment.",
    ),
    Metric(
        "cp100",
        "Card precision@100",
        lambda r, p: card_precision(r, p["score"]),
        ceiling=lambda r: card_precision(r, r["is_fraud"].astype(np.float64)),
        meaning="The share of compromised cards among the 100 of a day with the highest scores.",
    ),
    Metric(
        "cost",
        "Cost of 1,000 payments",
        lambda r, p: cost(r, p["decision"]),
        higher_is_better=False,
        meaning="Reviews of flagged payments and amounts of missed frauds, in their currency.",
    ),
    Metric(
        "calibration",
        "Calibration error",
        lambda r, p: calibration_error(r["is_fraud"], p["score"]),
        higher_is_better=False,
        meaning="How far scores are from the share of frauds, on average.",
    ),
)


def naive(rows: Columns) -> Columns:
    """Predict without a model: the larger the amount, the higher the score; flag nothing.

    The score is the rank of the amount, scaled to a mean of one in a hundred.
    """
    rank = np.argsort(np.argsort(rows["amount"], kind="stable")) / max(len(rows["amount"]), 1)
    return {"score": (rank * 0.02).astype(np.float32), "decision": np.zeros(len(rank), np.bool_)}


def weeks(rows: Columns) -> Values:
    """Return the week of the test of each row, from 0."""
    week: Values = (rows["day"] - rows["day"].min()) // 7
    return week


def slices(rows: Columns) -> Mapping[str, Values]:
    """Slice by amount, night, history of the terminal, and scenario where it is known."""
    amount, night, history = rows["amount"], rows["is_night"] > 0, rows["terminal_count_30d"] > 0
    found = {
        f"amount {low}-{high}": (amount >= low) & (amount < high)
        for low, high in pairwise((0, 20, 50, 100, 220))
    }
    found |= {"amount 220+": amount >= 220, "night": night, "day": ~night}
    found |= {"terminal with history": history, "terminal without history": ~history}
    if "scenario" in rows:
        for number, name in SCENARIOS.items():
            found[f"scenario {name}"] = np.isin(rows["scenario"], (0, number))
    return found
