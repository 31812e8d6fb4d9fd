"""The pictures of the report: what the fraud model finds, costs and looks at.

A picture is a title, a caption and a function that draws on matplotlib Axes. Colours and line
styles come from the report's style: in order, they are those of model, baseline and no model.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from ..contract import Columns, Figure
from .metrics import average_precision, threshold_costs
from .features import DESCRIPTIONS, INPUTS

Values: TypeAlias = NDArray[Any]
Scores: TypeAlias = Mapping[str, Values]

CONTENDERS = {"model": "model", "baseline": "simple baseline", "naive": "no model"}
SCORED = ("model", "baseline")  # their score is a probability
TOP_FEATURES = 12
POINTS = 400  # of a curve, which has one a row


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Give the pictures of test rows and the predictions of model, baseline and naive.

    `rows`: is_fraud (bool), amount, review_cost, timestamp (int64, milliseconds UTC), of shape
    (rows,).
    `predictions`: score of shape (rows,), and for the model decision (bool) of shape (rows,) and
    contributions of shape (rows, features), in log-odds. A cost is in the unit of `amount`.
    """
    labels, decision = rows["is_fraud"], predictions["model"]["decision"]
    scores = {name: predictions[name]["score"].astype(np.float64) for name in CONTENDERS}
    return (
        finding(labels, scores, decision),
        costs(rows, scores, decision),
        calibration(labels, scores),
        importance(predictions["model"]["contributions"]),
    )


def words(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Say how many frauds the model finds, with how many alarms, and what the baseline finds."""
    labels = rows["is_fraud"]
    model, baseline = (
        f"{np.sum(labels & flagged):,} with {np.sum(flagged):,}"
        for flagged in (predictions[name]["decision"] for name in SCORED)
    )
    return (
        f"Of {np.sum(labels):,} frauds among {len(labels):,} payments the model finds {model} "
        f"alarms; the simple baseline finds {baseline}.",
    )


def finding(labels: Values, scores: Scores, decision: Values) -> Figure:
    """Show precision over recall of the three, and where the decisions lie."""
    hits, frauds, alarms = np.sum(labels & decision), np.sum(labels), np.sum(decision)

    def draw(axes: Any) -> None:
        for name, text in CONTENDERS.items():
            precision, recall, _ = precision_recall_curve(labels, scores[name])
            shown = _thin(-recall)
            label = f"{text}, AP {average_precision(labels, scores[name]):.2f}"
            axes.plot(recall[shown], precision[shown], label=label)
        if hits:
            axes.plot(hits / frauds, hits / alarms, "o", color="C0", markersize=7)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        _label(axes, "share of the frauds that is found", "share of the alarms that is right")

    title = "How many frauds are found, and how many alarms are right"
    caption = (
        "Each line goes through every threshold, from strict to lax. At the chosen one, the dot, "
        f"the model finds {hits:,} of {frauds:,} frauds with {alarms:,} alarms."
    )
    return Figure("precision_recall", title, caption, draw)


def costs(rows: Columns, scores: Scores, decision: Values) -> Figure:
    """Show the cost of every threshold, beside that of flagging nothing."""
    nothing = 1000 * float(np.mean(rows["amount"] * rows["is_fraud"]))

    def draw(axes: Any) -> None:
        for name in SCORED:
            threshold, cost = threshold_costs(rows, scores[name])
            shown = _thin(-np.log(np.maximum(threshold, 1e-6)))
            axes.plot(threshold[shown], cost[shown], label=CONTENDERS[name])
        axes.axhline(nothing, color="C2", linestyle=":", label="flag nothing")
        if decision.any():
            chosen = scores["model"][decision].min()
            axes.axvline(chosen, color="C0", linewidth=1)
            axes.text(chosen, 0, f" chosen: {chosen:.2g}", color="C0", verticalalignment="bottom")
        axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.6 * nothing or 1))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        _label(axes, "threshold of the score", "cost per 1,000 payments")

    caption = (
        f"Looking at a flagged payment costs {np.mean(rows['review_cost']):g}; a missed fraud "
        "costs its amount. A low threshold flags too much, a high one misses too much."
    )
    return Figure("cost", "What each threshold costs", caption, draw)


def calibration(labels: Values, scores: Scores) -> Figure:
    """Show the share of frauds among payments of similar score."""

    def draw(axes: Any) -> None:
        for name in SCORED:
            axes.plot(*reliability(labels, scores[name]), marker="o", label=CONTENDERS[name])
        axes.plot((1e-4, 1), (1e-4, 1), color="C2", linestyle=":", label="as it should be")
        axes.set(xscale="log", yscale="log", xlim=(1e-3, 1.2), ylim=(1e-3, 1.2))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:g}")
        _label(axes, "mean score of the group", "share of frauds in it")

    caption = (
        "Payments in groups of similar score. On the diagonal, of 100 payments with score 0.1 ten "
        "are frauds; above it the scores are too low. Groups without a fraud are left out."
    )
    return Figure("calibration", "Whether a score means what it says", caption, draw)


def importance(contributions: Values) -> Figure:
    """Show the features that move the score most; contributions of shape (rows, features)."""

    def draw(axes: Any) -> None:
        strength = np.abs(contributions).mean(axis=0, dtype=np.float64)
        top = np.argsort(strength, kind="stable")[-TOP_FEATURES:]
        axes.barh(np.arange(len(top)), strength[top], height=0.26)
        for place, index in enumerate(top):  # above its bar, where long words have room
            axes.text(0, place + 0.31, DESCRIPTIONS[INPUTS[index]], fontsize="small")
        axes.set(yticks=[], xlabel="mean movement of the log-odds")
        axes.grid(visible=False)

    caption = (
        f"How far the {TOP_FEATURES} strongest features move the log-odds, up or down, on average."
    )
    return Figure("features", "What the model looks at", caption, draw)


def reliability(labels: Values, scores: Values) -> tuple[Values, Values]:
    """Give mean score and share of frauds of groups with a fraud, down to 20 rows at the top.

    Frauds are rare: groups of equal size would put all that matters into one.
    """
    tail = np.geomspace(1, min(1, 20 / len(scores)), 16)[1:]
    edges = np.unique(np.quantile(scores, 1 - tail))
    group = np.searchsorted(edges, scores, side="right")
    size, frauds, total = (np.bincount(group, weights) for weights in (None, labels, scores))
    kept = frauds > 0
    return total[kept] / size[kept], frauds[kept] / size[kept]


def _thin(positions: Values) -> Values:
    """Pick the rows that a curve needs, evenly along its rising positions."""
    wanted = np.linspace(positions[0], positions[-1], POINTS)
    return np.unique(np.searchsorted(positions, wanted).clip(max=len(positions) - 1))


def _label(axes: Any, xlabel: str, ylabel: str) -> None:
    """Name the axes, and the lines in a row above, where they hide nothing."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
