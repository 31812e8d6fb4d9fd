"""The features of payments: what they mean, and what they must not see."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from project_package.contract import Columns
from project_package.fraud.features import (
    DESCRIPTIONS,
    FEATURES,
    INPUTS,
    LABEL_DELAY_DAYS,
    LOOKBACK_DAYS,
    feature_columns,
)
from project_package.features.windows import MILLISECONDS_A_DAY, Window

DAY = MILLISECONDS_A_DAY


def payments(count: int = 3_000, seed: int = 0) -> Columns:
    """Give random payments of 20 cards at 30 terminals in 100 days, a tenth of them fraud."""
    rng = np.random.default_rng(seed)
    return {
        "timestamp": np.sort(rng.integers(0, 100 * 86_400, count)) * 1000,
        "customer_id": rng.integers(0, 20, count),
        "terminal_id": rng.integers(0, 30, count),
        "amount": np.round(rng.exponential(50, count), 2),
        "is_fraud": rng.random(count) < 0.1,
    }


def select(rows: Columns, chosen: NDArray[Any]) -> Columns:
    return {name: values[chosen] for name, values in rows.items()}


def one_card(*amounts: float) -> Columns:
    """Give the features of a card that pays once a day, always at the same terminal."""
    count = len(amounts)
    rows: Columns = {
        "timestamp": np.arange(count) * DAY,
        "customer_id": np.zeros(count, dtype=np.int32),
        "terminal_id": np.zeros(count, dtype=np.int32),
        "amount": np.array(amounts),
        "is_fraud": np.zeros(count, dtype=np.bool_),
    }
    return feature_columns(rows)


def test_every_input_is_finite_float32_and_described() -> None:
    columns = feature_columns(payments())
    assert tuple(columns) == INPUTS == tuple(DESCRIPTIONS)
    assert all(column.dtype == np.float32 for column in columns.values())
    assert all(np.isfinite(column).all() for column in columns.values())
    assert all(DESCRIPTIONS.values())


def test_labels_of_the_last_seven_days_change_nothing() -> None:
    rows = payments()
    known = rows["timestamp"] <= rows["timestamp"][-1] - LABEL_DELAY_DAYS * DAY
    flipped = {**rows, "is_fraud": rows["is_fraud"] ^ ~known}
    before, after = feature_columns(rows), feature_columns(flipped)
    assert all(np.array_equal(before[name], after[name]) for name in INPUTS)


def test_every_window_over_labels_waits_for_them() -> None:
    labels = [f for f in FEATURES if isinstance(f, Window) and f.value == "is_fraud"]
    assert labels
    assert all(feature.delay >= LABEL_DELAY_DAYS for feature in labels)
    assert not any("is_fraud" in f.inputs for f in FEATURES if not isinstance(f, Window))


def test_later_payments_change_nothing() -> None:
    rows = payments()
    whole, early = feature_columns(rows), feature_columns(select(rows, np.arange(2_000)))
    assert all(np.array_equal(whole[name][:2_000], early[name]) for name in INPUTS)


def test_a_stretch_with_its_history_equals_the_whole_table() -> None:
    rows = payments()
    start, lookback = 2_500, max(LOOKBACK_DAYS.values()) * DAY
    near = rows["timestamp"] > rows["timestamp"][start] - lookback
    whole = feature_columns(rows)
    part = feature_columns(select(rows, near), at=slice(int(near[:start].sum()), None))
    assert all(np.array_equal(whole[name][start:], part[name]) for name in INPUTS)


@pytest.mark.parametrize("i", [0, 1, 700, 2_999])
def test_one_request_with_its_history_equals_the_whole_table(i: int) -> None:
    rows = payments()
    whole = feature_columns(rows)
    related = np.zeros(len(rows["amount"]), dtype=np.bool_)
    for entity, days in LOOKBACK_DAYS.items():
        recent = rows["timestamp"] > rows["timestamp"][i] - days * DAY
        related |= recent & (rows[entity] == rows[entity][i])
    history = np.flatnonzero(related[: i + 1])
    request = feature_columns(select(rows, history), at=slice(len(history) - 1, None))
    assert all(request[name] == whole[name][i] for name in INPUTS)


def test_an_outlier_does_not_move_the_typical_amount() -> None:
    columns = one_card(10, 10, 10, 10, 100, 10, 12)
    assert columns["customer_typical_amount"][5] == 10
    assert columns["amount_over_typical"][4] == 10
    assert columns["customer_outliers_3d"].tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_a_card_that_only_paid_nothing_has_a_ratio_of_one() -> None:
    assert one_card(0, 0)["amount_over_typical"].tolist() == [1, 1]


def test_night_and_weekend_follow_utc() -> None:
    columns = one_card(*[1.0] * 7)  # from Thursday 1970-01-01 on, at midnight
    assert columns["is_weekend"].tolist() == [0, 0, 1, 1, 0, 0, 0]
    assert columns["is_night"].tolist() == [1] * 7
