"""Metrics of each kind of task by name, the naive prediction, periods and slices.

A metric is a function of targets (indices of classes, or values), predictions as `Details.decide`
returns them, and weights of the rows. It is NaN where it is not defined.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from ..binary_metrics import average_precision, calibration_error, counted, roc_auc
from ..columns import Columns, weighted_mean
from ..contract.training import Metric, Weights
from ..errors import require_known
from ..thresholds import break_even
from .decide_and_explain import Details
from .params import TabularParams
from .problem import Kind, Problem

Values: TypeAlias = NDArray[Any]
Score: TypeAlias = Callable[[Values, Columns, Weights], float]
PERIODS = 5  # parts of the test, at most
SLICED = 8  # values of a category that has slices, at most
SMALLEST = 50  # rows of a slice, at least
SMALLEST_CLASS = 10  # rows of each of two classes in a slice, at least


def score_positive(
    score: Callable[[Values, Values, Weights], float], y: Values, p: Columns, w: Weights
) -> float:
    """Score the probability of the positive class."""
    return score(y, p["probabilities"][:, 1], w)


def score_all(score: Callable[..., Any], y: Values, p: Columns, w: Weights) -> float:
    """Score the probabilities of all classes."""
    chances = p["probabilities"].astype(np.float64)
    chances /= chances.sum(axis=1, keepdims=True)  # in float32 they add up to nearly 1
    return float(score(y, chances, labels=np.arange(chances.shape[1]), sample_weight=w))


def score_choice(score: Callable[..., Any], y: Values, p: Columns, w: Weights) -> float:
    """Score the predicted classes or values."""
    return float(score(y, p["prediction"], sample_weight=w))


def r2(y: Values, p: Columns, w: Weights) -> float:
    """Compute the share of the variance that is explained, where there is some variance."""
    varies = len(np.unique(counted(y, w))) > 1
    return score_choice(metrics.r2_score, y, p, w) if varies else np.nan


def cost(params: TabularParams, y: Values, p: Columns, w: Weights) -> float:
    """Compute the mean cost of a decision."""
    missed = params.decide.false_negative * (y > p["prediction"])
    return weighted_mean(missed + params.decide.false_positive * (y < p["prediction"]), w)


def pinball(params: TabularParams, y: Values, p: Columns, w: Weights) -> float:
    """Compute the mean pinball loss of both bounds (Koenker and Bassett 1978)."""
    tail = params.decide.tail
    low = metrics.mean_pinball_loss(y, p["low"], sample_weight=w, alpha=tail)
    high = metrics.mean_pinball_loss(y, p["high"], sample_weight=w, alpha=1 - tail)
    return float(low + high) / 2


def coverage_gap(params: TabularParams, y: Values, p: Columns, w: Weights) -> float:
    """Compute how far the share of values in their interval is from the wanted one."""
    return abs(weighted_mean(in_interval(y, p), w) - params.decide.coverage)


def in_interval(y: Values, p: Columns) -> Values:
    """Return whether each value lies in its interval."""
    inside: Values = (y >= p["low"]) & (y <= p["high"])
    return inside


TEXTS = {
    "average_precision": ("Average precision", "Mean precision at the ranks of the positive rows."),
    "roc_auc": ("ROC AUC", "How often a positive row has the higher of two probabilities."),
    "f1_macro": ("Macro F1", "Harmonic mean of precision and recall, mean over the classes."),
    "log_loss": ("Log loss", "Mean negative logarithm of the probability of the true class."),
    "brier": ("Brier score", "Squared error of the probabilities."),
    "balanced_accuracy": ("Balanced accuracy", "Share of correct rows in each class, averaged."),
    "accuracy": ("Accuracy", "Share of rows whose class is predicted."),
    "cost": ("Mean cost", "What a decision costs on average, by the costs under [decide]."),
    "calibration": ("Calibration error", "Distance of probabilities from shares of positives."),
    "mae": ("Mean absolute error", "Mean distance of prediction and value, in its unit."),
    "rmse": ("Root mean squared error", "Large errors count more than in the mean of distances."),
    "r2": ("R²", "Share of the target's variance that is explained."),
    "pinball": ("Pinball loss", "Mean quantile loss of both bounds of the interval."),
    "coverage_gap": (
        "Coverage error",
        "How far the share of values in their interval is from the wanted one.",
    ),
}
"""The label of each metric, and what it says."""
HIGHER = {"average_precision", "roc_auc", "f1_macro", "balanced_accuracy", "accuracy", "r2"}
"""The metrics of which more is better."""
SEARCHED = {
    **dict.fromkeys(("f1_macro", "balanced_accuracy", "accuracy", "cost"), "log_loss"),
    **dict.fromkeys(("pinball", "coverage_gap"), "mae"),
}
"""The metric of the search for goals that judge decisions or intervals: it varies less, and the
threshold and the margins are measured after the search."""


def score_functions(kind: Kind, params: TabularParams) -> Mapping[str, Score]:
    """Return the metrics of a kind of task by name, its default first."""
    if kind == "regression":
        return {
            "mae": partial(score_choice, metrics.mean_absolute_error),
            "rmse": partial(score_choice, metrics.root_mean_squared_error),
            "r2": r2,
            "pinball": partial(pinball, params),
            "coverage_gap": partial(coverage_gap, params),
        }
    macro = {"average": "macro", "zero_division": 0}
    both: dict[str, Score] = {
        "f1_macro": partial(score_choice, partial(metrics.f1_score, **macro)),
        "log_loss": partial(score_all, metrics.log_loss),
        "brier": partial(score_all, metrics.brier_score_loss),
        "balanced_accuracy": partial(score_choice, partial(metrics.recall_score, **macro)),
        "accuracy": partial(score_choice, metrics.accuracy_score),
    }
    if kind == "multiclass":
        return both
    return {
        "average_precision": partial(score_positive, average_precision),
        "roc_auc": partial(score_positive, roc_auc),
        **both,
        "cost": partial(cost, params),
        "calibration": partial(score_positive, calibration_error),
    }


def find_metrics(problem: Problem, params: TabularParams) -> tuple[Metric, ...]:
    """Return the metrics, the one that decides first; raise UserError for an unknown name."""
    known = score_functions(problem.kind, params)
    goal = params.metric or next(iter(known))
    require_known("metric", [goal], f"a metric of a {problem.kind} task", known)

    def compute(score: Score, rows: Columns, predictions: Columns, weights: Weights) -> float:
        return score(rows[problem.target], predictions, weights)

    return tuple(
        Metric(
            name,
            TEXTS[name][0],
            partial(compute, known[name]),
            higher_is_better=name in HIGHER,
            meaning=TEXTS[name][1],
        )
        for name in sorted(known, key=lambda name: name != goal)
    )


def naive(problem: Problem, params: TabularParams, rows: Columns) -> Columns:
    """Predict the best constant: the shares of the classes among these rows, or quantiles.

    For a number with lags, it is the last known value and a constant change.
    """
    target = rows[problem.target]
    if problem.classes:
        shares = np.bincount(target, minlength=len(problem.classes)) / len(target)
        threshold = break_even(params.decide.false_positive, params.decide.false_negative)
        constant = Details(problem=problem, typical={}, threshold=threshold)
        return constant.decide(
            {"probabilities": np.tile(shares.astype(np.float32), (len(target), 1))}
        )
    levels = {"prediction": 0.5, "low": params.decide.tail, "high": 1 - params.decide.tail}
    last = np.zeros(len(target))
    if field := problem.target_before:
        newest = rows[field][:, 0]
        last = np.where(np.isnan(newest), np.median(target), newest)
    return {name: last + np.quantile(target - last, level) for name, level in levels.items()}


def periods(problem: Problem, rows: Columns) -> Values:
    """Return the part of the test of each row: by time, or else with equal shares of the classes.

    There are as many parts, up to `PERIODS`, as leave none without one of the classes.
    """
    target = rows[problem.target]
    time = problem.column_of("time")
    order = np.argsort(target if problem.classes else np.zeros(len(target)), kind="stable")
    rank = np.unique(rows[time], return_inverse=True)[1] if time else np.argsort(order)
    for count in range(min(PERIODS, int(rank.max()) + 1), 1, -1):
        part: Values = rank * count // (rank.max() + 1) if time else rank % count
        classes = [len(np.unique(target[part == number])) for number in range(count)]
        if min(classes) >= max(2, len(problem.classes)):
            return part
    return np.zeros(len(target), np.int64)


def slices(problem: Problem, rows: Columns) -> Mapping[str, Values]:
    """Slice by every yes or no and by categories with few values; also by missing values."""
    masks: dict[str, Values] = {}
    for name in problem.features:
        column = problem.inputs[name]
        values = rows[name]
        if column.type == "boolean":
            masks |= {f"{name} true": values == 1, f"{name} false": values == 0}
        elif column.type == "category" and not column.others and len(column.categories) <= SLICED:
            masks |= {f"{name} {value}": values == value for value in column.categories}
        else:
            continue
        masks[f"{name} missing"] = (values == "") if values.dtype == object else np.isnan(values)
    large = {name: mask for name, mask in masks.items() if np.sum(mask) >= SMALLEST}
    if problem.kind != "binary":
        return large
    counts = {n: np.bincount(rows[problem.target][m], minlength=2) for n, m in large.items()}
    return {name: mask for name, mask in large.items() if counts[name].min() >= SMALLEST_CLASS}
