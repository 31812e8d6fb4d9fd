"""The figures of the report: what the model finds, what it costs, and which features matter."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve

from ..binary_metrics import average_precision
from ..columns import Columns
from ..contract.about import Figure
from ..data.violations import SHOWN
from ..features.windows import MAX_ROWS
from ..plot_parts import (
    CONTENDERS,
    FITTED,
    draw_calibration,
    draw_costs,
    draw_strongest,
    label_axes,
)
from .features import CARD, DESCRIPTIONS, INPUTS, TERMINAL
from .metrics import Values, cost, costs_by_threshold, weeks


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return the figures of test rows and the predictions of model, baseline and naive.

    Rows have is_fraud (bool), day, amount and review_cost; predictions have score, those of the
    model decision (bool) and effects (rows, features) too. Costs are in the unit of `amount`.
    """
    labels = rows["is_fraud"]
    decision = predictions["model"]["decision"]
    scores = {name: predictions[name]["score"].astype(np.float64) for name in CONTENDERS}
    return (
        finding(rows, scores, decision),
        costs(rows, scores, decision),
        calibration(labels, scores),
        importance(predictions["model"]["effects"][decision]),
    )


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Summarise how many frauds model and baseline find, and with how many alarms."""
    labels = rows["is_fraud"]
    blank = rows["unlabelled"].max(initial=0)
    finds = {}
    for name in FITTED:
        flagged = predictions[name]["decision"]
        finds[name] = f"{np.sum(labels & flagged):,} with {np.sum(flagged):,}"
    return (
        f"Of {np.sum(labels):,} frauds among {len(labels):,} payments the model finds "
        f"{finds['model']} alarms; the simple baseline finds {finds['baseline']}.",
        *([f"{blank:,} more payments have no label: only features count them."] if blank else []),
        *limited(rows, CARD, "cards", "customer_count_30d"),
        *limited(rows, TERMINAL, "terminals", "terminal_count_30d"),
    )


def limited(rows: Columns, entity: str, what: str, count: str) -> tuple[str, ...]:
    """Say how many cards or terminals fill the windows; name terminals, which are no persons."""
    names = np.unique(rows[entity][rows[count] >= MAX_ROWS]).tolist()
    if not names:
        return ()
    more = ", ..." if len(names) > SHOWN else ""
    shown = f" ({', '.join(names[:SHOWN])}{more})" if entity == TERMINAL else ""
    return (f"Of {len(names):,} {what}{shown} features count the last {MAX_ROWS:,} payments only.",)


def finding(rows: Columns, scores: Columns, decision: Values) -> Figure:
    """Draw precision over recall of all three, and the point of the decisions."""
    labels = rows["is_fraud"]
    week = weeks(rows)
    hits = np.sum(labels & decision)
    frauds = np.sum(labels)
    alarms = np.sum(decision)

    def draw(axes: Any) -> None:
        for name, text in CONTENDERS.items():
            precision, recall, _ = precision_recall_curve(
                labels, scores[name], drop_intermediate=True
            )
            masks = (week == number for number in np.unique(week))
            weekly = [average_precision(labels[mask], scores[name][mask]) for mask in masks]
            axes.plot(recall, precision, label=f"{text}, AP {np.mean(weekly):.3f}")
        if hits:
            axes.plot(hits / frauds, hits / alarms, "o", color="C0")
        label_axes(axes, "share of frauds found", "share of alarms that are frauds")

    title = "How many frauds are found, and how many alarms are frauds"
    caption = (
        "Each line runs through all thresholds, from strict to lax, on the payments of all weeks "
        "together; AP is the mean over the weeks. At the chosen threshold, the dot, the model "
        f"finds {hits:,} of {frauds:,} frauds with {alarms:,} alarms."
    )
    return Figure("precision_recall", title, caption, draw)


def costs(rows: Columns, scores: Columns, decision: Values) -> Figure:
    """Draw the cost of every threshold, beside that of flagging nothing."""
    nothing = cost(rows, np.zeros_like(decision))

    def draw(axes: Any) -> None:
        curves = {name: costs_by_threshold(rows, scores[name]) for name in FITTED}
        draw_costs(axes, curves, nothing, scores["model"][decision])
        label_axes(axes, "threshold of the score", "cost of 1,000 payments")

    caption = (
        f"Reviewing a flagged payment costs {np.mean(rows['review_cost']):g}, in the currency of "
        "the data; a missed fraud costs its amount. A low threshold flags too much, a high one "
        "misses too much. All weeks together."
    )
    return Figure("cost", "What each threshold costs", caption, draw)


def calibration(labels: Values, scores: Columns) -> Figure:
    """Draw the share of frauds among payments of similar score."""

    def draw(axes: Any) -> None:
        draw_calibration(axes, dict.fromkeys(FITTED, labels), scores)
        label_axes(axes, "mean score of the group", "share of frauds in it")

    caption = (
        "Payments of all weeks in ten groups by score. On the diagonal, of 100 payments with score "
        "0.1 ten are frauds; above it the scores are too low."
    )
    return Figure("calibration", "Whether scores are probabilities", caption, draw)


def importance(effects: Values) -> Figure:
    """Draw the features that move the scores of flagged payments most: (flagged rows, features)."""

    def draw(axes: Any) -> None:
        draw_strongest(axes, effects, [DESCRIPTIONS[name] for name in INPUTS])
        axes.set_xlabel("mean effect on the log-odds")

    caption = (
        "How far the strongest features move the log-odds of the payments that the model flags, "
        "up or down, on average: against the median of the feature in training."
    )
    return Figure("features", "Which features make the model flag payments", caption, draw)
