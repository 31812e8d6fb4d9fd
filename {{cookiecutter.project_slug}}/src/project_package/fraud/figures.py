"""The figures of the report: what the model finds, what it costs, and which features matter.

Colours and line styles come from the report's style: in order, those of model, baseline and no
model.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve

from ..columns import Columns
from ..contract.training import Figure
from ..thresholds import average_precision
from .features import DESCRIPTIONS, INPUTS
from .metrics import Values, cost, costs_by_threshold, weeks

CONTENDERS = {"model": "model", "baseline": "simple baseline", "naive": "no model"}
SCORED = ("model", "baseline")  # their score is a probability
TOP_FEATURES = 12


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return the figures of test rows and the predictions of model, baseline and naive.

    Rows have is_fraud (bool), day, amount and review_cost; predictions have score, those of the
    model decision (bool) and effects (rows, features) too. Costs are in the unit of `amount`.
    """
    labels, decision = rows["is_fraud"], predictions["model"]["decision"]
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
    flagged = (predictions[name]["decision"] for name in SCORED)
    model, baseline = (f"{np.sum(labels & own):,} with {np.sum(own):,}" for own in flagged)
    return (
        f"Of {np.sum(labels):,} frauds among {len(labels):,} payments the model finds {model} "
        f"alarms; the simple baseline finds {baseline}.",
    )


def finding(rows: Columns, scores: Columns, decision: Values) -> Figure:
    """Draw precision over recall of all three, and the point of the decisions."""
    labels, week = rows["is_fraud"], weeks(rows)
    hits, frauds, alarms = np.sum(labels & decision), np.sum(labels), np.sum(decision)

    def draw(axes: Any) -> None:
        for name, text in CONTENDERS.items():
            curve = precision_recall_curve(labels, scores[name], drop_intermediate=True)
            masks = (week == number for number in np.unique(week))
            each = [average_precision(labels[mask], scores[name][mask]) for mask in masks]
            axes.plot(curve[1], curve[0], label=f"{text}, AP {np.mean(each):.3f}")
        if hits:
            axes.plot(hits / frauds, hits / alarms, "o", color="C0")
        axes.set(xlabel="share of frauds found", ylabel="share of alarms that are frauds")
        _legend_above(axes)

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
        for name in SCORED:
            axes.plot(*costs_by_threshold(rows, scores[name]), label=CONTENDERS[name])
        axes.axhline(nothing, color="C2", linestyle=":", label="flag nothing")
        if decision.any():
            lowest = scores["model"][decision].min()
            axes.axvline(lowest, color="C0", linewidth=1)
            axes.text(
                lowest, 0, f"  flagged from {lowest:.2g}", color="C0", verticalalignment="bottom"
            )
        axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.6 * nothing or 1))
        axes.set(xlabel="threshold of the score", ylabel="cost of 1,000 payments")
        _legend_above(axes)

    caption = (
        f"Reviewing a flagged payment costs {np.mean(rows['review_cost']):g}, in the currency of "
        "the data; a missed fraud costs its amount. A low threshold flags too much, a high one "
        "misses too much. All weeks together."
    )
    return Figure("cost", "What each threshold costs", caption, draw)


def calibration(labels: Values, scores: Columns) -> Figure:
    """Draw the share of frauds among payments of similar score."""

    def draw(axes: Any) -> None:
        for name in SCORED:
            share, mean = calibration_curve(labels, scores[name], n_bins=10)
            axes.plot(mean, share, marker="o", label=CONTENDERS[name])
        axes.plot((0, 1), (0, 1), color="C2", linestyle=":", label="ideal")
        axes.set(xlabel="mean score of the group", ylabel="share of frauds in it")
        _legend_above(axes)

    caption = (
        "Payments of all weeks in ten groups by score. On the diagonal, of 100 payments with score "
        "0.1 ten are frauds; above it the scores are too low."
    )
    return Figure("calibration", "Whether scores are probabilities", caption, draw)


def importance(effects: Values) -> Figure:
    """Draw the features that move the scores of flagged payments most: (flagged rows, features)."""

    def draw(axes: Any) -> None:
        strength = np.abs(effects).sum(axis=0, dtype=np.float64) / max(len(effects), 1)
        top = np.argsort(strength, kind="stable")[-TOP_FEATURES:]
        axes.barh(np.arange(len(top)), strength[top], height=0.26)
        for row, index in enumerate(top):  # above its bar, where long descriptions fit
            axes.text(0, row + 0.31, DESCRIPTIONS[INPUTS[index]], fontsize="small")
        axes.set(yticks=[], xlabel="mean effect on the log-odds")

    caption = (
        f"How far the {TOP_FEATURES} strongest features move the log-odds of the payments that the "
        "model flags, up or down, on average: against the median of the feature in training."
    )
    return Figure("features", "Which features make the model flag payments", caption, draw)


def _legend_above(axes: Any) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
