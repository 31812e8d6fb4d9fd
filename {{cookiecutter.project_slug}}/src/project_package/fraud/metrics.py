"""Metrics, the naive prediction and slices of the fraud project.

Rows have `timestamp`, `is_fraud`, `amount`, `review_cost` (both in the same currency), `day` (days
since 1970), `customer` (one code a card) and the features; predictions have `score`, and `decision`
where a threshold was chosen. Definitions follow Le Borgne et al. 2022, chapter 4.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..binary_metrics import average_precision, calibration_error, roc_auc
from ..columns import TIMESTAMP, Columns, weighted_mean
from ..contract.training import Metric, Weights
from ..thresholds import least_cost_threshold, threshold_costs

Values: TypeAlias = NDArray[Any]
SCENARIOS = {1: "large amount", 2: "compromised terminal", 3: "stolen card"}


def card_precision(
    rows: Columns, scores: Values, weights: Weights | None = None, k: int = 100, seed: int = 0
) -> float:
    """Compute the share of compromised cards among the k highest of a day, mean over days.

    A card's score, label and weight of a day are the largest of its payments; a card of weight 2
    counts as two cards. A card that was caught (among the k highest and compromised) is left out of
    the following days. Cards of equal score come in random order, because ids may say something
    about fraud.
    """
    columns = {name: rows[name] for name in ("day", "customer", "is_fraud")}
    counts = np.ones(len(scores)) if weights is None else weights
    cards = (
        pl.DataFrame({**columns, "score": scores, "weight": counts})
        .filter(pl.col("weight") > 0)
        .group_by("day", "customer")
        .agg(pl.col("score", "weight").max(), pl.col("is_fraud").any())
        .sort("day", "customer")  # so that the seed decides, not the order of the groups
        .sample(fraction=1, shuffle=True, seed=seed)
        .sort("day", -pl.col("score"), maintain_order=True)
    )
    caught: list[int] = []
    precisions = []
    for _, today in cards.group_by("day", maintain_order=True):
        others = today.filter(~pl.col("customer").is_in(caught))
        room = k - (pl.col("weight").cum_sum() - pl.col("weight"))  # left by the cards above
        top = others.with_columns(pl.col("weight").clip(upper_bound=room))
        frauds = top.filter("is_fraud", pl.col("weight") > 0)
        precisions.append(frauds["weight"].to_numpy().sum() / k)
        caught += frauds["customer"].to_list()
    return float(np.mean(precisions)) if precisions else np.nan


def losses(rows: Columns) -> Values:
    """Return what each payment costs when it is not flagged: the amount of a fraud."""
    return np.where(rows["is_fraud"], rows["amount"], 0.0)


def cost(rows: Columns, decision: Values, weights: Weights | None = None) -> float:
    """Compute the cost of 1,000 payments: reviews of flagged ones, amounts of missed frauds."""
    each = np.where(decision, rows["review_cost"], losses(rows))
    return weighted_mean(each, weights) * 1000


def costs_by_threshold(rows: Columns, scores: Values) -> tuple[Values, Values]:
    """Return every distinct score as a threshold, highest first, and the cost of 1,000 payments."""
    falling, costs = threshold_costs(scores, rows["review_cost"], losses(rows))
    return falling, costs / len(scores) * 1000


def threshold(rows: Columns, scores: Values) -> float:
    """Return the threshold of least cost, which weighs missed frauds against reviews."""
    return least_cost_threshold(scores, rows["review_cost"], losses(rows))


METRICS = (
    Metric(
        "average_precision",
        "Average precision",
        lambda r, p, w: average_precision(r["is_fraud"], p["score"], w),
        meaning="The precision at the rank of each fraud, averaged over all frauds.",
    ),
    Metric(
        "roc_auc",
        "ROC AUC",
        lambda r, p, w: roc_auc(r["is_fraud"], p["score"], w),
        meaning="How often a fraud has a higher score than a genuine payment.",
    ),
    Metric(
        "cp100",
        "Card precision@100",
        lambda r, p, w: card_precision(r, p["score"], w),
        ceiling=lambda r: card_precision(r, r["is_fraud"].astype(np.float64)),
        meaning="The share of compromised cards among the 100 of a day with the highest scores.",
    ),
    Metric(
        "cost",
        "Cost of 1,000 payments",
        lambda r, p, w: cost(r, p["decision"], w),
        higher_is_better=False,
        meaning="Reviews of flagged payments and amounts of missed frauds, in their currency.",
    ),
    Metric(
        "calibration",
        "Calibration error",
        lambda r, p, w: calibration_error(r["is_fraud"], p["score"], w, bins=20),
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
    """Slice by amount, night (0:00 to 6:59 UTC), history of the terminal, and known scenario."""
    amount = rows["amount"]
    night = rows[TIMESTAMP] // 3_600_000 % 24 <= 6
    history = rows["terminal_count_30d"] > 0
    masks = {
        f"amount {low}-{high}": (amount >= low) & (amount < high)
        for low, high in pairwise((0, 20, 50, 100, 220))
    }
    masks |= {"amount 220+": amount >= 220, "night": night, "day": ~night}
    masks |= {"terminal with history": history, "terminal without history": ~history}
    if "scenario" in rows:
        for number, name in SCENARIOS.items():
            masks[f"scenario {name}"] = np.isin(rows["scenario"], (0, number))
    return masks
