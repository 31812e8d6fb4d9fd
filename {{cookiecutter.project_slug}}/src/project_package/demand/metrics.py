"""Metrics, forecasts without a model and slices of the demand project.

Rows carry `units` (what was sold), the means of the last 1, 4, 8 and 13 weeks, `deviation_13w`,
`department`, the plans and `timestamp`; predictions carry value, low and high. All in units a week.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Goal, Metric
from .features import LEVEL, NAIVE_WEEKS, is_promoted

Bools = NDArray[np.bool_]
Numbers = NDArray[Any]

QUANTILES = {"low": 0.1, "value": 0.5, "high": 0.9}
COVERED = 0.8
NORMAL = 1.2815515655446004
"""Standard deviations from the middle of a normal distribution to its 90 % quantile."""
VOLUME_BANDS = (0, 5, 10, 20, 50, np.inf)
FEWEST_PRODUCTS = 10
"""Departments with fewer products are one slice together."""


def mae(rows: Columns, value: Numbers) -> float:
    """Give the mean absolute error, in units."""
    return float(np.mean(np.abs(rows["units"] - value)))


def best_naive(rows: Columns) -> Numbers:
    """Give the mean of past weeks that turned out best on these rows: a rival with hindsight."""
    best = int(np.argmin(naive_errors(rows).sum(axis=1)))
    return rows[f"mean_{NAIVE_WEEKS[best]}w"].astype(np.float64)


def naive_errors(rows: Columns) -> Numbers:
    """Give the absolute errors of the naive forecasts, of shape (forecasts, rows)."""
    forecasts = np.stack([rows[f"mean_{weeks}w"] for weeks in NAIVE_WEEKS]).astype(np.float64)
    return np.asarray(np.abs(rows["units"] - forecasts))


def relative_mae(rows: Columns, value: Numbers) -> float:
    """Divide the mean absolute error by that of the best naive forecast; NaN when that is 0."""
    return weighted_relative_mae(rows, value)(np.ones(len(value)))


def weighted_relative_mae(rows: Columns, value: Numbers) -> Callable[[Numbers], float]:
    """Give the relative error as a function of row weights, which count rows several times."""
    mine, theirs = np.abs(rows["units"] - value), naive_errors(rows)

    def score(weights: Numbers) -> float:
        best = float(np.min(theirs @ weights))
        return float(mine @ weights) / best if best else float("nan")

    return score


def weighted_percentage_error(rows: Columns, value: Numbers) -> float:
    """Give the sum of absolute errors over the sum of units; NaN when nothing was sold."""
    total = float(np.sum(rows["units"]))
    return float(np.sum(np.abs(rows["units"] - value))) / total if total else float("nan")


def pinball(rows: Columns, predictions: Columns) -> float:
    """Give the mean pinball loss over the three quantiles (Koenker and Bassett 1978), in units."""
    losses = []
    for name, quantile in QUANTILES.items():
        error = rows["units"] - predictions[name]
        losses.append(np.mean(np.maximum(quantile * error, (quantile - 1) * error)))
    return float(np.mean(losses))


def is_covered(rows: Columns, predictions: Columns) -> Bools:
    """Tell the rows whose units lie in the interval."""
    covered: Bools = (rows["units"] >= predictions["low"]) & (rows["units"] <= predictions["high"])
    return covered


def coverage(rows: Columns, predictions: Columns) -> float:
    """Give the share of rows in the interval."""
    return float(np.mean(is_covered(rows, predictions)))


def width(predictions: Columns) -> float:
    """Give the mean width of the interval, in units."""
    return float(np.mean(predictions["high"] - predictions["low"], dtype=np.float64))


METRICS = (
    Metric(
        "relative_mae",
        "MAE over that of the best naive forecast",
        lambda r, p: relative_mae(r, p["value"]),
        higher_is_better=False,
    ),
    Metric("mae", "MAE, units", lambda r, p: mae(r, p["value"]), higher_is_better=False),
    Metric(
        "wape",
        "Weighted absolute percentage error",
        lambda r, p: weighted_percentage_error(r, p["value"]),
        higher_is_better=False,
    ),
    Metric("pinball", "Pinball loss, units", pinball, higher_is_better=False),
    Metric(
        "coverage_gap",
        "Coverage of the interval, distance from 80 %",
        lambda r, p: abs(coverage(r, p) - COVERED),
        higher_is_better=False,
    ),
    Metric("width", "Width of the interval, units", lambda _, p: width(p), higher_is_better=False),
)
GOAL = Goal("relative_mae", 0.9, lambda r, p: weighted_relative_mae(r, p["value"]))


def naive(rows: Columns) -> Columns:
    """Without a model: the best mean of past weeks, give or take what units varied in 13 weeks."""
    value = best_naive(rows)
    around = NORMAL * rows["deviation_13w"].astype(np.float64)
    found = {"value": value, "low": np.maximum(value - around, 0), "high": value + around}
    return {name: values.astype(np.float32) for name, values in found.items()}


def factors(sold: Numbers, bounds: Columns) -> tuple[float, float]:
    """Give the factors that make one row in ten lie below `low`, and one in ten above `high`.

    `sold` and the bounds are validation rows that the model was not fitted on, of shape (rows,). A
    bound is wrong by (sold + 1) / (bound + 1); the factor is the quantile of that, one row beyond,
    which holds for new rows like these (Romano, Patterson and Candes 2019).
    """
    count = len(sold)
    low, high = (np.sort((sold + 1) / (bounds[name] + 1)) for name in ("low", "high"))
    rank = min(int(np.ceil((count + 1) * QUANTILES["high"])), count)
    return float(low[count - rank]), float(high[rank - 1])


def weeks(rows: Columns) -> Numbers:
    """Give the week of the test that each row is in: the Monday, in milliseconds."""
    return rows["timestamp"]


def slices(rows: Columns) -> Mapping[str, Bools]:
    """Cut by the product's level, by promotion and by department."""
    level = rows[LEVEL]
    bands = {
        f"level {low}-{high}" if np.isfinite(high) else f"level {low}+": (level >= low)
        & (level < high)
        for low, high in pairwise(VOLUME_BANDS)
    }
    ad, display = is_promoted(rows["ad"]), is_promoted(rows["display"])
    plans = {"advertised": ad, "displayed": display, "not promoted": ~ad & ~display}
    return {**bands, **plans, **_departments(rows)}


def _departments(rows: Columns) -> Mapping[str, Bools]:
    """Give a slice to each department with enough products, and one to all the others."""
    names = rows["department"].astype(str)
    found = {}
    rest = np.ones(len(names), np.bool_)
    for name in np.unique(names):
        mine = names == name
        if len(np.unique(rows["product_id"][mine])) >= FEWEST_PRODUCTS:
            found[f"department {name}"], rest = mine, rest & ~mine
    return {**found, "other departments": rest}
