"""Metrics by hand and against scikit-learn; the correction of the bounds against its promise."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss

from project_package.contract import Columns
from project_package.demand.metrics import (
    GOAL,
    METRICS,
    QUANTILES,
    best_naive,
    coverage,
    factors,
    naive,
    pinball,
    relative_mae,
    slices,
    weeks,
    weighted_percentage_error,
)

Rows = list[tuple[int, int, int]]
SOLD = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 4)), min_size=2, max_size=40
)


def arrays(rows: Rows) -> tuple[Columns, Columns, Any]:
    """Give rows whose naive forecasts are constants, predictions, and weights."""
    units, value, weights = (np.array(part, np.float64) for part in zip(*rows, strict=True))
    means = {f"mean_{n}w": np.full(len(units), 5.0 + 2 * (n > 4)) for n in (1, 4, 8, 13)}
    given = {"value": value, "low": value * 0.5, "high": value * 2}
    return {"units": units, **means}, given, weights


def test_the_best_naive_forecast_is_the_one_with_the_least_error() -> None:
    means = {"mean_1w": [9.0, 0], "mean_4w": [5.0, 5], "mean_8w": [4.0, 6], "mean_13w": [1.0, 1]}
    rows = {"units": np.array([4.0, 7])} | {name: np.array(v) for name, v in means.items()}
    assert best_naive(rows).tolist() == [4, 6]
    assert relative_mae(rows, np.array([4.0, 7])) == 0
    assert relative_mae(rows, np.array([5.0, 8])) == 2


def test_errors_that_nothing_can_be_compared_with_are_not_defined() -> None:
    rows, _, _ = arrays([(7, 1, 1), (7, 2, 1)])
    assert math.isnan(relative_mae(rows, np.array([7.0, 7])))
    assert math.isnan(weighted_percentage_error({"units": np.zeros(2)}, np.ones(2)))
    assert math.isnan(GOAL.weighted(rows, {"value": np.zeros(2)})(np.ones(2)))


@given(SOLD)
def test_pinball_is_that_of_scikit_learn(rows: Rows) -> None:
    columns, given, _ = arrays(rows)
    expected = [
        mean_pinball_loss(columns["units"], given[name], alpha=q) for name, q in QUANTILES.items()
    ]
    assert pinball(columns, given) == pytest.approx(np.mean(expected))


@given(SOLD)
def test_a_weight_counts_a_row_several_times(rows: Rows) -> None:
    columns, given, weights = arrays([*rows, (9, 3, 1)])
    times = weights.astype(np.int64)
    repeated = {name: values.repeat(times) for name, values in columns.items()}
    expected = relative_mae(repeated, given["value"].repeat(times))
    assert GOAL.weighted(columns, given)(weights) == pytest.approx(expected)


def test_coverage_counts_the_bounds_in() -> None:
    rows = {"units": np.array([1.0, 2, 3, 4])}
    given = {"low": np.array([1.0, 2.1, 0, 0]), "high": np.array([1.0, 9, 2.9, 4])}
    assert coverage(rows, given) == 0.5


@given(st.integers(0, 9))
def test_corrected_bounds_hold_what_they_promise_on_new_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    sold = random.poisson(9, 8_000).astype(np.float64)
    low, high = factors(sold[:4_000], {"low": np.full(4_000, 8.0), "high": np.full(4_000, 10.0)})
    later = sold[4_000:]
    assert np.mean(later < 9 * low - 1) <= 0.12  # whole numbers make steps: fewer is right too
    assert np.mean(later > 11 * high - 1) <= 0.12
    assert low < 1 < high


def test_bounds_that_are_right_stay() -> None:
    sold = np.arange(1.0, 1_000)
    low, high = factors(sold, {"low": np.full(999, 100.0), "high": np.full(999, 900.0)})
    assert (low, high) == pytest.approx((1, 1), abs=0.01)


def test_naive_is_the_best_mean_and_what_units_varied() -> None:
    rows, _, _ = arrays([(7, 1, 1), (8, 2, 1)])
    answer = naive({**rows, "deviation_13w": np.array([2.0, 100])})
    assert answer["value"].tolist() == [7, 7]
    assert answer["high"] - 7 == pytest.approx([2.563, 128.155], abs=1e-3)
    assert answer["low"].tolist() == [pytest.approx(4.437, abs=1e-3), 0]


def test_all_metrics_are_better_when_lower() -> None:
    assert not any(metric.higher_is_better for metric in METRICS)
    assert METRICS[0].name == GOAL.metric


def test_slices_cover_every_row_and_small_departments_stand_together() -> None:
    count = 24
    products = np.array([f"P{number}" for number in range(count)], object)
    rows = {
        "mean_13w": np.linspace(0, 60, count),
        "ad": np.where(np.arange(count) % 3, 0.0, 0.9),
        "display": np.zeros(count),
        "department": np.array(["grocery"] * 20 + ["deli"] * 3 + ["pastry"], object),
        "product_id": products,
    }
    found = slices(rows)
    bands = [mask for name, mask in found.items() if name.startswith("level")]
    assert np.sum(bands, axis=0).tolist() == [1] * count
    assert found["department grocery"].sum() == 20
    assert found["other departments"].sum() == 4
    assert (found["advertised"] ^ found["not promoted"]).all()


def test_a_period_is_a_week() -> None:
    assert weeks({"timestamp": np.array([0, 7, 7])}).tolist() == [0, 7, 7]
