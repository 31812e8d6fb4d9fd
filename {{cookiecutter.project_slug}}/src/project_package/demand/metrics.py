"""Metrics, naive forecasts and slices of the demand project.

Rows carry `units` (what was sold), the means of the last 1, 4, 8 and 13 weeks, `deviation_13w`,
`department`, the plans and `timestamp`; predictions carry value, low and high. All are (rows,), in
units a week.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_pinball_loss

from ..contract import Columns
from ..training import Metric
from .features import LEVEL, NAIVE_WEEKS, is_promoted
from .task import QUANTILES

COVERAGE = 0.8
"""The share of rows that the interval should hold."""
NORMAL = 1.2815515655446004
"""The 90 % quantile of the standard normal distribution."""
LEVELS = {"0-5": (0, 5), "5-10": (5, 10), "10-20": (10, 20), "20-50": (20, 50), "50+": (50, np.inf)}
MIN_PRODUCTS = 10
"""Departments with fewer products form one slice together."""


def mae(rows: Columns, predictions: Columns) -> float:
    """Return the mean absolute error, in units."""
    return float(np.mean(np.abs(rows["units"] - predictions["value"])))


def naive_errors(rows: Columns) -> NDArray[Any]:
    """Return the absolute errors of the naive forecasts: (forecasts, rows)."""
    forecasts = np.stack([rows[f"mean_{weeks}w"] for weeks in NAIVE_WEEKS]).astype(np.float64)
    return np.asarray(np.abs(rows["units"] - forecasts))


def weighted_relative_mae(rows: Columns, predictions: Columns) -> Callable[[NDArray[Any]], float]:
    """Return the error over that of the best naive forecast (NaN where it has none), by weights."""
    errors, naive = np.abs(rows["units"] - predictions["value"]), naive_errors(rows)

    def score(weights: NDArray[Any]) -> float:
        best = float(np.min(naive @ weights))
        return float(errors @ weights) / best if best else float("nan")

    return score


def relative_mae(rows: Columns, predictions: Columns) -> float:
    """Return the mean absolute error over that of the best naive forecast."""
    return weighted_relative_mae(rows, predictions)(np.ones(len(rows["units"])))


def weighted_percentage_error(rows: Columns, predictions: Columns) -> float:
    """Return the sum of absolute errors over the sum of units; NaN when nothing was sold."""
    mean = float(np.mean(rows["units"]))
    return mae(rows, predictions) / mean if mean else float("nan")


def pinball(rows: Columns, predictions: Columns) -> float:
    """Return the mean pinball loss over the three quantiles (Koenker and Bassett 1978)."""
    units = rows["units"]
    losses = [mean_pinball_loss(units, predictions[n], alpha=q) for n, q in QUANTILES.items()]
    return float(np.mean(losses))


def is_covered(rows: Columns, predictions: Columns) -> NDArray[np.bool_]:
    """Return the rows whose units lie in the interval."""
    units = rows["units"]
    return np.asarray((units >= predictions["low"]) & (units <= predictions["high"]))


def coverage_gap(rows: Columns, predictions: Columns) -> float:
    """Return how far the share of rows in the interval is from the wanted one."""
    return abs(float(np.mean(is_covered(rows, predictions))) - COVERAGE)


def width(_: Columns, predictions: Columns) -> float:
    """Return the mean width of the interval, in units."""
    return float(np.mean(predictions["high"] - predictions["low"]))


LABELS = {
    relative_mae: "MAE over that of the best naive forecast",
    mae: "MAE, units",
    weighted_percentage_error: "Weighted absolute percentage error",
    pinball: "Pinball loss, units",
    coverage_gap: "Coverage of the interval, distance from 80 %",
    width: "Width of the interval, units",
}
METRICS = tuple(
    Metric(score.__name__, label, score, higher_is_better=False) for score, label in LABELS.items()
)


def naive(rows: Columns) -> Columns:
    """Predict by the mean of past weeks that is best on these rows, with a normal interval."""
    best = int(np.argmin(naive_errors(rows).sum(axis=1)))
    value = rows[f"mean_{NAIVE_WEEKS[best]}w"].astype(np.float64)
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
    level, department = rows[LEVEL], rows["department"].astype(str)
    parts = {
        f"level {name}": (level >= low) & (level < high) for name, (low, high) in LEVELS.items()
    }
    ad, display = is_promoted(rows["ad"]), is_promoted(rows["display"])
    parts |= {"advertised": ad, "displayed": display, "not promoted": ~ad & ~display}
    others = np.ones(len(level), np.bool_)
    for name in np.unique(department):
        mine = department == name
        if len(np.unique(rows["product_id"][mine])) >= MIN_PRODUCTS:
            parts[f"department {name}"] = mine
            others &= ~mine
    return {**parts, "other departments": others}
