"""The features of a product's week: what they mean, and what they must not see."""

from typing import Any

import numpy as np
import pytest
from demand.tables import others
from numpy.typing import NDArray

from project_package.columns import Columns
from project_package.demand.features import (
    DESCRIPTIONS,
    INPUTS,
    NAIVE_INPUTS,
    PLANS,
    PRODUCT,
    WEEK_DAYS,
    feature_columns,
    first_days,
)
from project_package.demand.schemas import SOLD
from project_package.features.windows import MILLISECONDS_A_DAY

WEEK = WEEK_DAYS * MILLISECONDS_A_DAY
MONDAY = 4 * MILLISECONDS_A_DAY  # 5 January 1970


def weeks(count: int = 60, products: int = 4) -> Columns:
    """Return random weeks of a few products, in order of time."""
    random = np.random.default_rng(0)
    size = count * products
    units = random.poisson(5, size).astype(np.float64)
    plans = {name: np.round(random.random(size) * (random.random(size) < 0.3), 4) for name in PLANS}
    return {
        "timestamp": np.repeat(MONDAY + WEEK * np.arange(count), products),
        PRODUCT: np.tile(np.arange(products), count),
        "units": units,
        "sales": np.round(units * 2.5, 2),
        "discount": np.round(units * 0.5 * (random.random(size) < 0.2), 2),
        **plans,
        **others(size),
    }


def one_product(*units: float, **plans: list[float]) -> dict[str, NDArray[np.float32]]:
    """Return the features of consecutive weeks of a product that costs 2."""
    count = len(units)
    sold = {"units": np.array(units), "sales": 2.0 * np.array(units), "discount": np.zeros(count)}
    planned = {name: np.array(plans.get(name, [0.0] * count)) for name in PLANS}
    time = {"timestamp": MONDAY + WEEK * np.arange(count), PRODUCT: np.zeros(count, np.int64)}
    return feature_columns({**time, **sold, **planned, **others(count)})


def test_columns_are_finite_float32() -> None:
    columns = feature_columns(weeks())
    assert set(columns) == {*INPUTS, *NAIVE_INPUTS}
    assert all(column.dtype == np.float32 for column in columns.values())
    assert all(np.isfinite(column).all() for column in columns.values())


def test_each_input_has_a_meaning_of_its_own() -> None:
    assert set(DESCRIPTIONS) == set(INPUTS)
    assert len({*DESCRIPTIONS.values()}) == len(INPUTS)


def test_sales_of_the_week_itself_change_nothing() -> None:
    rows = weeks()
    last = rows["timestamp"] == rows["timestamp"][-1]
    hidden = {**rows, **{name: np.where(last, 99.0, rows[name]) for name in SOLD}}
    before = feature_columns(rows)
    after = feature_columns(hidden)
    assert all(np.array_equal(before[name], after[name]) for name in INPUTS)


def test_levels_by_hand() -> None:
    columns = one_product(*range(1, 15), 0)  # 1 to 14, and the week to forecast
    assert columns["mean_1w"][-1] == 14
    assert columns["mean_4w"][-1] == 12.5
    assert columns["mean_13w"][-1] == 8
    assert columns["mean_4w_ratio"][-1] == 1.5
    assert columns["lag_2w_ratio"][-1] == np.float32(14 / 9)
    assert columns["deviation_13w"][-1] == pytest.approx(np.std(np.arange(2, 15)))


def test_price_is_the_latest_one_paid() -> None:
    columns = one_product(0, 3, 0, 0)
    assert columns["price_1w"].tolist() == [0, 0, 2, 2]
    assert columns["discount_share_1w"].tolist() == [0, 0, 0, 0]


def test_effect_of_past_advertisements_by_hand() -> None:
    columns = one_product(4, 20, 4, 20, 4, 0, ad_inside=[0.0, 1, 0, 1, 0, 0.9])
    level = (4 + 20 + 4 + 20 + 4) / 5
    assert columns["weeks_with_ad"][-1] == 2
    assert columns["with_ad"][-1] == pytest.approx((40 + level + 1) / (3 * (level + 1)))
    assert columns["without_ad"][-1] == pytest.approx((12 + level + 1) / (4 * (level + 1)))
    assert columns["expected_ad"][-1] == columns["with_ad"][-1]
    assert columns["expected_ad"][-2] == columns["without_ad"][-2]


def test_counts_days_in_the_first_week_of_a_month() -> None:
    def monday(day: str) -> Any:
        return np.array([day], "datetime64[ms]").astype(np.int64)

    days = ("2017-01-02", "2017-01-09", "2017-01-30", "2017-02-27")
    assert [first_days(monday(day)).item() for day in days] == [6, 0, 5, 5]
