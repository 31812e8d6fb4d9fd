"""Figures and sentences of the report: what is found, and how sure."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_curve

from ..columns import Columns
from ..contract.about import Figure
from ..plot_parts import FITTED, REFERENCE, draw_calibration, draw_interval, label_axes
from .metrics import Values, in_interval
from .params import Decide, TabularParams
from .problem import Problem

SLANTED = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
"""Names below an axis; the anchor keeps them there in a browser with other fonts."""


def summary(
    problem: Problem, params: TabularParams, rows: Columns, predictions: Mapping[str, Columns]
) -> tuple[str, ...]:
    """Summarise what decisions do or how close values are, and which columns are not used."""
    target = rows[problem.target]
    answers = [predictions[name]["prediction"] for name in FITTED]
    if problem.kind == "binary":
        finds = [f"{np.sum(target & flagged):,}" for flagged in answers]
        silent = "" if any(answers[0]) else "The model flags no row at all. "
        sentences = [
            f"{silent}Of {np.sum(target):,} rows with {problem.target} = {problem.classes[1]} the "
            f"model finds {finds[0]} and misses {np.sum(target > answers[0]):,}, with "
            f"{np.sum(answers[0]):,} alarms.",
            f"The simple baseline finds {finds[1]} with {np.sum(answers[1]):,} alarms. The "
            "thresholds have the least cost when a missed row costs "
            f"{params.decide.false_negative:g} and a false alarm {params.decide.false_positive:g}.",
        ]
    elif problem.kind == "multiclass":
        right = [f"{np.mean(target == answer):.0%}" for answer in answers]
        sentences = [
            f"The model is right for {right[0]} of rows, the simple baseline for {right[1]}."
        ]
    else:
        errors = [f"{np.median(np.abs(target - answer)):.4g}" for answer in answers]
        inside = np.mean(in_interval(target, predictions["model"]))
        sentences = [
            f"The median error is {errors[0]}, that of the simple baseline {errors[1]}. "
            f"{inside:.0%} of the values lie in their interval; "
            f"{params.decide.coverage:.0%} should."
        ]
    error = np.mean((target - answers[0]) ** 2)
    if len(target) >= 200 and not problem.target_before and error < 0.01 * np.var(target):
        sentences.append(
            "That is nearly perfect, which is rare: look for a feature that is known only together "
            "with the target, or from which the target is computed."
        )
    columns = problem.table.columns.items()
    texts = [name for name, column in columns if column.type == "text" and column.role == "ignored"]
    unused = [f"Columns of text are not used: {', '.join(texts)}."] if texts else []
    return (*sentences, *unused)


def figures(
    problem: Problem, decide: Decide, rows: Columns, predictions: Mapping[str, Columns]
) -> tuple[Figure, ...]:
    """Return the figures of test rows and the predictions of model and baseline."""
    target = rows[problem.target]
    if problem.kind == "regression":
        return (values(target, predictions["model"]),)
    if problem.kind == "multiclass":
        return (confusion(problem.classes, target, predictions["model"]["prediction"]),)
    probabilities = {name: predictions[name]["probabilities"][:, 1] for name in FITTED}
    curves = precision_recall(target, probabilities), calibration(target, probabilities)
    return *curves, thresholds(decide, target, predictions["model"])


def thresholds(decide: Decide, target: Values, model: Columns) -> Figure:
    """Show what other thresholds do, with a quarter to four times as many alarms."""
    chances = model["probabilities"][:, 1]
    chosen = np.sum(model["prediction"])
    counts = np.array([0.25, 0.5, 2, 4]) * (chosen or np.sum(target))
    positions = counts.astype(int).clip(1, len(target)) - 1
    masks = [chances >= least for least in -np.sort(-chances)[positions]]
    by_count = {np.sum(mask): mask for mask in (*masks, model["prediction"] == 1)}
    cells = []
    for count, flagged in sorted(by_count.items()):
        missed = np.sum(target > flagged)
        cost = decide.false_negative * missed + decide.false_positive * np.sum(flagged > target)
        least = f"{np.min(chances[flagged], initial=1):.3g}"
        least += " (chosen)" if count == chosen else ""
        numbers = (count, np.sum(target & flagged), missed, cost)
        cells.append([least, *(f"{number:,.9g}" for number in numbers)])

    def draw(axes: Any) -> None:
        header = ["flagged from", "alarms", "found", "missed", "cost"]
        axes.table(cells, colLabels=header, loc="center", edges="open").scale(1, 2)
        axes.set_axis_off()

    caption = "Test rows by the lowest flagged probability, with costs of [decide]."
    return Figure("thresholds", "What other thresholds do", caption, draw)


def precision_recall(target: Values, probabilities: Mapping[str, Values]) -> Figure:
    """Draw precision over recall."""

    def draw(axes: Any) -> None:
        for name, text in FITTED.items():
            precision, recall, _ = precision_recall_curve(target, probabilities[name])
            axes.plot(recall[:-1], precision[:-1], label=text)
        axes.axhline(np.mean(target), **REFERENCE, label="no model")
        label_axes(axes, "share of positive rows found", "share of alarms that are right")

    caption = "Each line runs through all thresholds, from strict on the left to lax on the right."
    return Figure("precision_recall", "How many are found, at which precision", caption, draw)


def calibration(target: Values, probabilities: Mapping[str, Values]) -> Figure:
    """Draw the share of positive rows among rows of similar probability."""

    def draw(axes: Any) -> None:
        targets = dict.fromkeys(FITTED, target)
        draw_calibration(axes, targets, probabilities, strategy="quantile")
        label_axes(axes, "mean probability of the group", "share of positive rows in it")

    caption = (
        "Rows in ten groups of equal size, by probability. On the diagonal, of 100 rows with "
        "probability 0.1 ten are positive; above it, probabilities are too low."
    )
    return Figure("calibration", "Whether probabilities are right", caption, draw)


def confusion(classes: tuple[str, ...], target: Values, predicted: Values) -> Figure:
    """Draw how rows of each class are predicted."""
    shares = confusion_matrix(target, predicted, labels=range(len(classes)), normalize="true")

    def draw(axes: Any) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=2, aspect="auto")
        names = [shortened(name) for name in classes]
        axes.set_xticks(range(len(names)), names, **SLANTED)
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False)
        for (row, column), share in np.ndenumerate(shares if len(classes) <= 12 else shares[:0]):
            axes.text(column, row, f"{share:.0%}", ha="center", va="center")
        axes.set(xlabel="predicted", ylabel="true")

    caption = "Each line is a true class: the shares of its rows by predicted class."
    return Figure("confusion", "Which classes are confused", caption, draw)


def values(target: Values, model: Columns) -> Figure:
    """Draw the values in groups of similar prediction, with the interval."""
    order = np.argsort(model["prediction"], kind="stable")
    groups = np.array_split(order, min(20, len(order)))

    def means(values: Values) -> Values:
        return np.array([np.mean(values[group]) for group in groups])

    def draw(axes: Any) -> None:
        x = means(model["prediction"])
        draw_interval(axes, x, means(model["low"]), means(model["high"]))
        axes.plot(x, x, **REFERENCE, label="ideal")
        axes.plot(
            x, means(target), marker="o", linestyle="none", color="C0", label="mean of the values"
        )
        label_axes(axes, "prediction", "value")

    caption = "Rows in 20 groups of equal size, by prediction. The band is the mean interval."
    return Figure("values", "Predictions and values", caption, draw)


def shortened(name: str, most: int = 24) -> str:
    """Return the start of a long name."""
    return name if len(name) <= most else f"{name[: most - 3]}..."
