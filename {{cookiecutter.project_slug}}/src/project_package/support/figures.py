"""Sentences and figures of the report: what is answered, what is found, and the worst mistakes."""

from collections.abc import Mapping
from textwrap import shorten
from typing import Any

import numpy as np

from ..columns import Columns, weighted_mean
from ..contract.about import Figure
from ..plot_parts import FITTED, draw_calibration, label_axes
from .judge import agreement
from .metrics import grounded_shares, is_answerable, is_right, ranks, worst_first

WORST = 10  # questions that the report shows
DEPTH = 5  # passages


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Summarise what is answered and refused, what is grounded, and what a judge says of it."""
    answerable = is_answerable(rows)
    model = predictions["model"]
    right = weighted_mean(is_right(rows, model)[answerable])
    answered = weighted_mean(~model["refused"].astype(bool)[answerable])
    refused = weighted_mean(model["refused"][~answerable])
    grounded = [
        f"{shown(share)} of the {name.removeprefix('grounded_')} answers"
        for name, share in grounded_shares(rows, model).items()
        if np.isfinite(share)
    ]
    texts = [
        f"Of {answerable.sum():,} questions that the documents answer {shown(answered)} are "
        f"answered, {shown(right)} by a right passage; of {(~answerable).sum():,} others "
        f"{shown(refused)} are refused.",
    ]
    if grounded:
        texts.append(f"{' and '.join(grounded)} are grounded.")
    if judge := agreement(rows, model):
        same = shown(judge["judge_agreement"])
        kappa = shown(judge["judge_kappa"], ".2f")
        texts.append(
            f"A language model judged {judge['judged']:.0f} answers, and {judge['unjudged']:.0f} "
            f"more without a result; its verdict equals the label for {same} (Cohen's kappa "
            f"{kappa})."
        )
    return tuple(texts)


def shown(value: float, form: str = ".0%") -> str:
    """Return a value in a form, by default a share in percent; a dash where it is not defined."""
    return format(value, form) if np.isfinite(value) else "–"  # noqa: RUF001


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return what is refused for what is answered, recall by rank, calibration, and mistakes."""
    return (
        trade_off(rows, predictions),
        recall(rows, predictions),
        calibration(rows, predictions),
        mistakes(rows, predictions["model"]),
    )


def trade_off(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of unanswerable questions that are refused over the share answered."""
    answerable = is_answerable(rows)

    def draw(axes: Any) -> None:
        for name, text in FITTED.items():
            confidence = predictions[name]["confidence"]
            limits = np.unique(confidence)
            answered = [(confidence[answerable] >= limit).mean() for limit in limits]
            refused = [(confidence[~answerable] < limit).mean() for limit in limits]
            (line,) = axes.plot(answered, refused, label=text)
            now = predictions[name]["refused"]
            point = (~now[answerable]).mean(), now[~answerable].mean()
            axes.plot(*point, "o", color=line.get_color())
        label_axes(axes, "share of answerable questions answered", "share of others refused")

    caption = "Each line goes through all thresholds; the point is the one that is used."
    return Figure("refusals", "What is answered, and what is refused", caption, draw)


def recall(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of answerable questions with a right passage among the first ones."""
    answerable = is_answerable(rows)

    def draw(axes: Any) -> None:
        depths = np.arange(1, DEPTH + 1)
        for name, text in FITTED.items():
            rank = ranks(rows, predictions[name])[answerable]
            axes.plot(depths, [(rank <= depth).mean() for depth in depths], "o-", label=text)
        axes.set(xticks=depths, ylim=(0, 1.02))
        label_axes(axes, "passages", "share with a right passage")

    caption = "A right passage among the first ones, of questions that the documents answer."
    return Figure("recall", "What is found", caption, draw)


def calibration(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of answerable questions over the confidence."""

    def draw(axes: Any) -> None:
        labels = dict.fromkeys(FITTED, is_answerable(rows))
        scores = {name: predictions[name]["confidence"] for name in FITTED}
        draw_calibration(axes, labels, scores, strategy="quantile")
        label_axes(axes, "confidence", "share that the documents answer")

    caption = "On the line, confidence is the share of questions that the documents answer."
    return Figure("calibration", "What confidence means", caption, draw)


def mistakes(rows: Columns, model: Columns) -> Figure:
    """Write the questions with wrong answers or refusals, the most confident ones first."""
    count = min(WORST, int((~is_right(rows, model)).sum()))
    worst = worst_first(rows, model)[:count]

    def draw(axes: Any) -> None:
        axes.set_axis_off()
        for line, row in enumerate(worst):
            found = "refused" if model["refused"][row] else model["document"][row, 0]
            expected = ", ".join(rows["answers"][row]) or "a refusal"
            height = 1 - line / WORST
            question = shorten(rows["question"][row], 110, placeholder="...")
            axes.text(0, height, question, fontsize=8, va="top", parse_math=False)
            answer = shorten(f"{found}; expected {expected}", 120, placeholder="...")
            axes.text(
                0.02, height - 0.04, answer, fontsize=7, va="top", color="C0", parse_math=False
            )

    caption = "What was answered, and what was expected, of the mistakes with most confidence."
    return Figure("mistakes", "The worst questions", caption, draw)
