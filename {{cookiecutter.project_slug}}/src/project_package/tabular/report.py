"""Figures and sentences of the report: what is found, where it fails, and what matters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve

from ..contract import Columns, length, take
from ..training import Figure, Metric, Predict
from .metrics import Values
from .problem import Problem

CONTENDERS = {"model": "model", "baseline": "simple baseline", "naive": "no model"}
FITTED = ("model", "baseline")
TOP_FEATURES, SAMPLE, REPEATS = 12, 2_000, 3


def summary(problem: Problem, rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Say how many rows are predicted rightly, or how wrong values are; and what is not used."""
    target = rows[problem.target]
    mine, simple, none = (predictions[name]["prediction"] for name in CONTENDERS)
    if problem.kind == "regression":
        errors = [f"{np.median(np.abs(target - one)):.4g}" for one in (mine, simple, none)]
        inside = (target >= predictions["model"]["low"]) & (target <= predictions["model"]["high"])
        said = [
            f"Half of the predictions are wrong by less than {errors[0]}; of the simple baseline "
            f"by {errors[1]}, without a model by {errors[2]}.",
            f"{np.mean(inside):.0%} of the values are in their interval.",
        ]
    elif problem.kind == "binary":
        found = [f"{np.sum(target & one):,} with {np.sum(one):,}" for one in (mine, simple)]
        said = [
            f"Of {np.sum(target):,} rows with {problem.target} = {problem.classes[1]} among "
            f"{len(target):,}, the model finds {found[0]} alarms; the simple baseline finds "
            f"{found[1]}."
        ]
    else:
        right = [f"{np.mean(target == one):.0%}" for one in (mine, simple, none)]
        said = [
            f"The model predicts the class of {right[0]} of the rows rightly, the simple baseline "
            f"that of {right[1]}; the most frequent class is that of {right[2]}."
        ]
    texts = [n for n, column in problem.table.columns.items() if column.type == "text"]
    if texts:
        said.append(f"Columns with free text are not used: {', '.join(texts)}.")
    return tuple(said)


def figures(
    problem: Problem, rows: Columns, predictions: Mapping[str, Columns]
) -> tuple[Figure, ...]:
    """Return the figures of test rows and the predictions of model, baseline and naive."""
    target = rows[problem.target]
    if problem.kind == "binary":
        chances = {name: predictions[name]["probabilities"][:, 1] for name in CONTENDERS}
        return precision_recall(target, chances), calibration(target, chances)
    if problem.kind == "multiclass":
        return (confusion(problem.classes, target, predictions["model"]["prediction"]),)
    return (values(target, predictions["model"]),)


def precision_recall(target: Values, chances: Mapping[str, Values]) -> Figure:
    """Draw precision over recall of all three."""

    def draw(axes: Any) -> None:
        for name, text in CONTENDERS.items():
            precision, recall, _ = precision_recall_curve(target, chances[name])
            axes.plot(recall, precision, label=text)
        axes.set(xlabel="share of positive rows found", ylabel="share of alarms that are right")
        _legend_above(axes)

    caption = "Each line runs through all thresholds, from strict on the left to lax on the right."
    return Figure("precision_recall", "How many are found, at which precision", caption, draw)


def calibration(target: Values, chances: Mapping[str, Values]) -> Figure:
    """Draw the share of positive rows among rows of similar probability."""

    def draw(axes: Any) -> None:
        for name in FITTED:
            share, mean = calibration_curve(target, chances[name], n_bins=10, strategy="quantile")
            axes.plot(mean, share, marker="o", label=CONTENDERS[name])
        axes.plot((0, 1), (0, 1), color="C2", linestyle=":", label="ideal")
        axes.set(xlabel="mean probability of the group", ylabel="share of positive rows in it")
        _legend_above(axes)

    caption = "Rows in ten groups of equal size, by probability. On the diagonal, of 100 rows with "
    return Figure(
        "calibration",
        "Whether probabilities are right",
        f"{caption}probability 0.1 ten are positive; above it, probabilities are too low.",
        draw,
    )


def confusion(classes: tuple[str, ...], target: Values, predicted: Values) -> Figure:
    """Draw how rows of each class are predicted."""
    shares = confusion_matrix(target, predicted, labels=range(len(classes)), normalize="true")

    def draw(axes: Any) -> None:
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.4, aspect="auto")
        axes.set_xticks(range(len(classes)), classes, rotation=45 if len(classes) > 6 else 0)
        axes.set_yticks(range(len(classes)), classes)
        axes.grid(visible=False)
        if len(classes) <= 12:
            for (row, column), share in np.ndenumerate(shares):
                axes.text(column, row, f"{share:.0%}", ha="center", va="center")
        axes.set(xlabel="predicted", ylabel="true")

    caption = "Each row of the figure is a true class: the shares of its rows by predicted class."
    return Figure("confusion", "Which classes are confused", caption, draw)


def values(target: Values, model: Columns) -> Figure:
    """Draw the values in groups of similar prediction, with the interval."""
    parts = np.array_split(np.argsort(model["prediction"], kind="stable"), 20)
    parts = [part for part in parts if len(part)]
    columns = {n: [np.mean(v[part]) for part in parts] for n, v in model.items() if v.ndim == 1}

    def draw(axes: Any) -> None:
        x = columns["prediction"]
        axes.fill_between(x, columns["low"], columns["high"], color="C0", alpha=0.18, linewidth=0)
        axes.plot(x, x, color="C2", linestyle=":", label="ideal")
        means = [np.mean(target[part]) for part in parts]
        axes.plot(x, means, marker="o", linestyle="none", color="C0", label="mean of the values")
        axes.set(xlabel="prediction", ylabel="value")
        _legend_above(axes)

    caption = "Rows in 20 groups of equal size, by prediction. The band is the mean interval."
    return Figure("values", "Predictions and values", caption, draw)


def importance(
    problem: Problem, goal: Metric, rows: Columns, predict: Predict
) -> tuple[Figure, ...]:
    """Draw permutation importance: what the score loses when a feature is shuffled.

    On a sample of the rows (Breiman 2001; Fisher, Rudin and Dominici 2019).
    """
    random = np.random.default_rng(0)
    chosen = random.permutation(length(rows))[:SAMPLE]
    sample = take(rows, np.sort(chosen))
    score, lost = goal.score(sample, predict(sample)), {}
    for name in problem.features:
        losses = []
        for _ in range(REPEATS):
            shuffled = {**sample, name: random.permutation(sample[name])}
            losses.append(goal.gain(score, goal.score(sample, predict(shuffled))))
        lost[name] = float(np.mean(losses))
    top = sorted(problem.features, key=lambda name: lost[name])[-TOP_FEATURES:]

    def draw(axes: Any) -> None:
        axes.barh(range(len(top)), [lost[name] for name in top], height=0.6)
        axes.set_yticks(range(len(top)), top)
        axes.set(xlabel=f"loss of {goal.label.lower()}")

    caption = (
        f"What the score loses when the values of one feature are shuffled among {len(chosen):,} "
        f"test rows, mean of {REPEATS} times. Features that say the same share their importance."
    )
    return (Figure("importance", "Which features matter", caption, draw),)


def _legend_above(axes: Any) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
