"""Metrics, naive forecasts and slices of the demand project.

Rows carry `units` (what was sold), the means of the last 1, 4, 8 and 13 weeks, `deviation_13w`,
`department`, the plans and `timestamp`; predictions carry value, low and high. All are (rows,), in
units a week.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_pinball_loss

from ..columns import Columns, weighted_mean
from ..contract.training import Metric, Weights
from .features import LEVEL, is_promoted
from .task import QUANTILES

COVERAGE = 0.8
"""The share of rows that the interval should hold."""
NORMAL = 1.2815515655446004
"""The 90% quantile of the standard normal distribution."""
NAIVE = "mean_4w"
"""The naive forecast. On the folds of the published data, before the test, it has the least error:
9.07 units; last week's value and the means of 8 and 13 weeks have 10.44, 9.22 and 9.57."""
LEVELS = {"0-5": (0, 5), "5-10": (5, 10), "10-20": (10, 20), "20-50": (20, 50), "50+": (50, np.inf)}
MIN_PRODUCTS = 10
"""Departments with fewer products form one slice together."""


def mae(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Return the mean absolute error, in units."""
    return weighted_mean(np.abs(rows["units"] - predictions["value"]), weights)


def relative_mae(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Return the mean absolute error over that of the naive forecast; NaN where it has none."""
    naive_error = mae(rows, {"value": rows[NAIVE]}, weights)
    return mae(rows, predictions, weights) / (naive_error or np.nan)


def weighted_percentage_error(
    rows: Columns, predictions: Columns, weights: Weights | None = None
) -> float:
    """Return the sum of absolute errors over the sum of units; NaN when nothing was sold."""
    return mae(rows, predictions, weights) / (weighted_mean(rows["units"], weights) or np.nan)


def pinball(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Return the mean pinball loss over the three quantiles (Koenker and Bassett 1978)."""
    if weights is not None and not weights.any():
        return np.nan
    losses = [
        mean_pinball_loss(rows["units"], predictions[name], sample_weight=weights, alpha=quantile)
        for name, quantile in QUANTILES.items()
    ]
    return float(np.mean(losses))


def is_covered(rows: Columns, predictions: Columns) -> NDArray[np.bool_]:
    """Return the rows whose units lie in the interval."""
    units = rows["units"]
    return np.asarray((units >= predictions["low"]) & (units <= predictions["high"]))


def coverage_gap(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Return how far the share of rows in the interval is from the wanted one."""
    return abs(weighted_mean(is_covered(rows, predictions), weights) - COVERAGE)


def width(_: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Return the mean width of the interval, in units."""
    return weighted_mean(predictions["high"] - predictions["low"], weights)


TEXTS = {
    relative_mae: (
        "Relative MAE",
        "The mean absolute error, divided by that of the mean of the last 4 weeks.",
    ),
    mae: ("MAE, units", "The mean absolute error: how many units a forecast is wrong by."),
    weighted_percentage_error: (
        "Weighted absolute percentage error",
        "The sum of absolute errors over the sum of units sold.",
    ),
    pinball: (
        "Pinball loss, units",
        "The mean quantile loss of low, value and high: the 10, 50 and 90% quantiles.",
    ),
    coverage_gap: (
        "Coverage of the interval, distance from 80%",
        "The share of weeks whose sales lie in the interval, as a distance from the wanted 80%.",
    ),
    width: ("Width of the interval, units", "The mean of the upper bound minus the lower."),
}
METRICS = tuple(
    Metric(score.__name__, label, score, higher_is_better=False, meaning=meaning)
    for score, (label, meaning) in TEXTS.items()
)


def naive(rows: Columns) -> Columns:
    """Predict the mean of the last four weeks, with a normal interval."""
    value = rows[NAIVE].astype(np.float64)
    margin = NORMAL * rows["deviation_13w"].astype(np.float64)
    return {"value": value, "low": np.maximum(value - margin, 0), "high": value + margin}


def conformal_factors(units: NDArray[Any], predictions: Columns) -> tuple[float, float]:
    """Return the factors by which one row in ten falls below `low`, and one above `high`.

    `units` and predictions are of validation rows, which the model was not fitted on. A bound is
    wrong by (units + 1) / (bound + 1); the factor is a quantile of that, corrected for the number
    of rows (Romano, Patterson and Candes 2019).
    """
    count = len(units)
    low, high = (np.sort((units + 1) / (predictions[name] + 1)) for name in ("low", "high"))
    rank = min(int(np.ceil((count + 1) * QUANTILES["high"])), count)
    return float(low[count - rank]), float(high[rank - 1])


def slices(rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Return slices by the product's level, by promotion and by department."""
    level = rows[LEVEL]
    department = rows["department"].astype(str)
    parts = {
        f"level {name}": (level >= low) & (level < high) for name, (low, high) in LEVELS.items()
    }
    ad = is_promoted(rows["ad"])
    display = is_promoted(rows["display"])
    parts |= {"advertised": ad, "displayed": display, "not promoted": ~ad & ~display}
    others = np.ones(len(level), np.bool_)
    for name in np.unique(department):
        mask = department == name
        if len(np.unique(rows["product_id"][mask])) >= MIN_PRODUCTS:
            parts[f"department {name}"] = mask
            others &= ~mask
    return {**parts, "other departments": others}
