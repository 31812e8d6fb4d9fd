"""Sentences and figures of the report: what need not be read, and what is mistaken for what."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score

from ..columns import Columns
from ..contract.about import Figure
from ..plot_parts import FITTED, draw_calibration, label_axes
from .metrics import errors, is_wrong
from .params import Decide


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Summarise how many clauses need not be read, and how many of these are wrong."""
    texts = {}
    for name in FITTED:
        accepted = predictions[name]["accepted"]
        share = errors(rows, predictions[name])
        texts[name] = f"{accepted.mean():.0%}" + (f" ({share:.1%} wrong)" if accepted.any() else "")
    return (
        f"Of {len(rows['type']):,} clauses {texts['model']} need not be read; with the simple "
        f"baseline {texts['baseline']}.",
    )


def figures(
    decide: Decide, rows: Columns, predictions: Mapping[str, Columns]
) -> tuple[Figure, ...]:
    """Return errors by coverage, F1 by type, what is mistaken for what, and calibration."""
    return (
        risk(decide, rows, predictions),
        by_type(rows, predictions),
        confusion(rows, predictions["model"]),
        calibration(rows, predictions),
    )


def risk(decide: Decide, rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of errors among the most certain answers, over their share of all."""

    def draw(axes: Any) -> None:
        for name, text in FITTED.items():
            falling = np.argsort(-predictions[name]["confidence"], kind="stable")
            count = np.arange(1, len(falling) + 1)
            wrong = np.cumsum(is_wrong(rows, predictions[name])[falling]) / count
            axes.plot(count / len(falling), wrong, label=text)
        axes.axhline(decide.error_rate, color="C2", linestyle=":", label="decide.error_rate")
        label_axes(axes, "share of clauses that nobody reads", "share of these that are wrong")

    caption = "The most certain answers come first. A lower line saves more reading."
    return Figure("risk", "Errors and reading saved", caption, draw)


def by_type(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the F1 score of each type."""
    right = rows["type"].astype(str)
    types = np.unique(right)

    def draw(axes: Any) -> None:
        for name, text in FITTED.items():
            answers = predictions[name]["type"].astype(str)
            scores = f1_score(right, answers, labels=types, average=None, zero_division=0)
            axes.plot(scores, np.arange(len(types)), "o", label=text)
        axes.set_yticks(np.arange(len(types)), types)
        axes.set(xlim=(0, 1.02))
        label_axes(axes, "F1", "")

    return Figure("types", "F1 by type", "The score of each type of clause.", draw)


def confusion(rows: Columns, model: Columns) -> Figure:
    """Draw which types are answered for which."""
    right = rows["type"].astype(str)
    types = np.unique(right)
    counts = confusion_matrix(right, model["type"].astype(str), labels=types)

    def draw(axes: Any) -> None:
        axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0)
        for (row, column), count in np.ndenumerate(counts):
            if count:
                axes.text(column, row, count, ha="center", va="center", fontsize=7)
        axes.set_xticks(np.arange(len(types)), types, rotation=45, ha="right")
        axes.set_yticks(np.arange(len(types)), types)
        axes.grid(visible=False)
        axes.set(xlabel="answer", ylabel="type")

    return Figure("confusion", "What is mistaken for what", "Numbers of test clauses.", draw)


def calibration(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of right answers over the confidence."""

    def draw(axes: Any) -> None:
        right = {name: ~is_wrong(rows, predictions[name]) for name in FITTED}
        scores = {name: predictions[name]["confidence"] for name in FITTED}
        draw_calibration(axes, right, scores, strategy="quantile")
        label_axes(axes, "confidence", "share of right answers")

    caption = "On the line, confidence is the share of answers that are right."
    return Figure("calibration", "What confidence means", caption, draw)
