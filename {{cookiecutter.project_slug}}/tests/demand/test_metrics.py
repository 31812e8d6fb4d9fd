"""Metrics by hand and against scikit-learn; the correction of the bounds against its promise."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from project_package.columns import Columns, take
from project_package.contract.training import Metric
from project_package.demand.metrics import (
    METRICS,
    conformal_factors,
    coverage_gap,
    naive,
    pinball,
    relative_mae,
    slices,
    weighted_percentage_error,
    width,
)

Rows = list[tuple[int, int, int]]
SOLD = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 4)), min_size=2, max_size=40
)


def arrays(rows: Rows) -> tuple[Columns, Columns, Any]:
    """Return rows whose naive forecasts are constant, predictions, and weights."""
    units, value, weights = (np.array(part, np.float64) for part in zip(*rows, strict=True))
    means = {f"mean_{n}w": np.full(len(units), 5.0 + 2 * (n == 4)) for n in (1, 4, 8, 13)}
    predictions = {"value": value, "low": value * 0.5, "high": value * 2}
    return {"units": units, **means}, predictions, weights


def test_naive_forecast_is_the_mean_of_four_weeks_always() -> None:
    means = {"mean_1w": [4.0, 7], "mean_4w": [4.0, 6], "mean_8w": [4.0, 7], "mean_13w": [4.0, 7]}
    rows = {"units": np.array([4.0, 7])} | {name: np.array(v) for name, v in means.items()}
    assert naive({**rows, "deviation_13w": np.zeros(2)})["value"].tolist() == [4, 6]
    assert relative_mae(rows, {"value": np.array([4.0, 7])}) == 0
    assert relative_mae(rows, {"value": np.array([5.0, 8])}) == 2


def test_errors_relative_to_nothing_are_nan() -> None:
    rows, _, _ = arrays([(7, 1, 1), (7, 2, 1)])
    assert math.isnan(relative_mae(rows, {"value": np.array([7.0, 7])}))
    assert math.isnan(weighted_percentage_error({"units": np.zeros(2)}, {"value": np.ones(2)}))


def test_pinball_by_hand() -> None:
    forecast = {"low": np.array([8.0]), "value": np.array([11.0]), "high": np.array([14.0])}
    expected = (0.1 * 2 + 0.5 * 1 + 0.1 * 4) / 3
    assert pinball({"units": np.array([10.0])}, forecast) == pytest.approx(expected)


def test_percentage_error_and_width_by_hand() -> None:
    rows = {"units": np.array([10.0, 20])}
    forecast = {name: np.array(v) for name, v in {"value": [8.0, 26], "low": [3, 4]}.items()}
    assert weighted_percentage_error(rows, forecast) == pytest.approx((2 + 6) / 30)
    assert width(rows, {**forecast, "high": np.array([5, 12])}) == (2 + 8) / 2


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@given(rows=SOLD)
def test_weight_counts_a_row_several_times(metric: Metric, rows: Rows) -> None:
    columns, predictions, weights = arrays([*rows, (9, 3, 1)])
    times = weights.astype(np.int64)
    again = np.arange(len(times)).repeat(times)
    expected = metric.score(take(columns, again), take(predictions, again))
    assert metric.score(columns, predictions, weights) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(metric.score(columns, predictions, np.zeros(len(times))))


def test_every_error_is_better_when_lower() -> None:
    assert not any(metric.higher_is_better for metric in METRICS)


def test_interval_includes_its_bounds() -> None:
    rows = {"units": np.array([1.0, 2, 3, 4, 5])}
    bounds = {"low": np.array([1.0, 2.1, 0, 0, 0]), "high": np.array([1.0, 9, 2.9, 3.9, 4.9])}
    assert coverage_gap(rows, bounds) == pytest.approx(0.8 - 1 / 5)


def test_correction_is_a_rank_among_the_rows_and_one_more() -> None:
    bounds = {"low": np.full(20, 1.0), "high": np.full(20, 4.0)}
    second, nineteenth = (1 + 1) / (1 + 1), (18 + 1) / (4 + 1)
    assert conformal_factors(np.arange(20.0), bounds) == (second, nineteenth)


@given(st.integers(0, 9))
def test_corrected_bounds_hold_on_new_rows(seed: int) -> None:
    units = np.random.default_rng(seed).poisson(9, 8_000).astype(np.float64)
    bounds = {"low": np.full(4_000, 8.0), "high": np.full(4_000, 10.0)}
    low, high = conformal_factors(units[:4_000], bounds)
    assert np.mean(units[4_000:] < 9 * low - 1) <= 0.12  # whole numbers make steps
    assert np.mean(units[4_000:] > 11 * high - 1) <= 0.12
    assert low < 1 < high


def test_right_bounds_stay() -> None:
    bounds = {"low": np.full(999, 100.0), "high": np.full(999, 900.0)}
    low, high = conformal_factors(np.arange(1.0, 1_000), bounds)
    assert (low, high) == pytest.approx((1, 1), abs=0.01)


def test_naive_interval_is_normal() -> None:
    rows, _, _ = arrays([(7, 1, 1), (8, 2, 1)])
    found = naive({**rows, "deviation_13w": np.array([2.0, 100])})
    assert found["high"] - 7 == pytest.approx([2.563, 128.155], abs=1e-3)
    assert found["low"].tolist() == [pytest.approx(4.437, abs=1e-3), 0]


def test_levels_include_their_lower_bound() -> None:
    levels = np.array([0, 4.9, 5, 9.9, 10, 19.9, 20, 49.9, 50, 50.5])
    plain = {name: np.zeros(10) for name in ("ad", "display", "department", "product_id")}
    found = slices({"mean_13w": levels, **plain})
    bands = [mask for name, mask in found.items() if name.startswith("level")]
    assert [np.flatnonzero(mask).tolist() for mask in bands] == [
        [n, n + 1] for n in range(0, 10, 2)
    ]


def test_small_departments_form_one_slice() -> None:
    rows = {
        "mean_13w": np.linspace(0, 60, 24),
        "ad": np.where(np.arange(24) % 3, 0.0, 0.9),
        "display": np.zeros(24),
        "department": np.array(["grocery"] * 10 + ["deli"] * 9 + ["pastry"] * 5, object),
        "product_id": np.array([f"P{number}" for number in range(24)], object),
    }
    found = slices(rows)
    bands = [mask for name, mask in found.items() if name.startswith("level")]
    assert np.sum(bands, axis=0).tolist() == [1] * 24
    assert {name for name in found if "department" in name} == {
        "department grocery",  # of ten products
        "other departments",
    }
    assert found["department grocery"].sum() == 10
    assert found["other departments"].sum() == 14
    assert (found["advertised"] ^ found["not promoted"]).all()
