"""The features of payments: what they mean, and what they must not see."""

from pathlib import Path

import numpy as np
from fraud.payments import rows as payment_rows

from project_package.columns import Columns, concatenate, take
from project_package.features.windows import MAX_ROWS, MILLISECONDS_A_DAY
from project_package.fraud.features import (
    COUNTS,
    DESCRIPTIONS,
    INPUTS,
    LABEL_DELAY_DAYS,
    feature_columns,
)
from project_package.fraud.task import HISTORY
from project_package.state.sqlite import SqliteStore

DAY = MILLISECONDS_A_DAY


def payments(count: int = 3_000) -> Columns:
    """Make random payments of 20 cards at 30 terminals in 100 days, a tenth of them fraud."""
    random = np.random.default_rng(0)
    return payment_rows(
        count,
        timestamp=np.sort(random.integers(0, 100 * 86_400, count)) * 1000,
        customer_id=random.integers(0, 20, count),
        terminal_id=random.integers(0, 30, count),
        amount=np.round(random.exponential(50, count), 2),
        is_fraud=(random.random(count) < 0.1).astype(np.float64),
    )


def one_card(*amounts: float) -> Columns:
    """Compute the features of a card that pays once a day, always at the same terminal."""
    count = len(amounts)
    one = np.zeros(count, np.int32)
    known = {"timestamp": np.arange(count) * DAY, "customer_id": one, "terminal_id": one}
    return feature_columns(payment_rows(count, **known, amount=np.array(amounts)))


def test_features_are_finite_float32_with_descriptions() -> None:
    columns = feature_columns(payments())
    assert {"amount", *columns} == {*INPUTS, *COUNTS}
    assert all(column.dtype == np.float32 for column in columns.values())
    assert all(np.isfinite(column).all() for column in columns.values())
    assert all(DESCRIPTIONS.values())


def test_labels_of_the_last_seven_days_do_not_count() -> None:
    rows = payments()
    known = rows["timestamp"] <= rows["timestamp"][-1] - LABEL_DELAY_DAYS * DAY
    hidden = {**rows, "is_fraud": np.where(known, rows["is_fraud"], np.nan)}
    flipped = {**rows, "is_fraud": np.where(known, rows["is_fraud"], 1 - rows["is_fraud"])}
    before, unknown, other = map(feature_columns, (rows, hidden, flipped))
    assert all(np.array_equal(before[name], unknown[name]) for name in before)
    assert all(np.array_equal(before[name], other[name]) for name in before)


def test_unknown_label_counts_as_genuine() -> None:
    rows = payments()
    unknown, genuine = ({**rows, "is_fraud": np.full(3_000, label)} for label in (np.nan, 0.0))
    assert not feature_columns(unknown)["terminal_risk_30d"].any()
    expected = feature_columns(genuine)
    assert all(np.array_equal(v, expected[n]) for n, v in feature_columns(unknown).items())


def test_outlier_does_not_move_the_typical_amount() -> None:
    assert one_card(10, 10, 10, 10, 100, 10, 12)["amount_over_typical"][4:6].tolist() == [10, 1]


def test_excess_grows_with_the_amount_to_a_limit() -> None:
    small, large = (one_card(*[10] * 7, amount, 10) for amount in (30, 1_000))
    assert small["amount_over_typical"][7] == np.float32(2.4)  # 30 over 12.5
    assert small["customer_excess_3d"].tolist()[7:] == [np.float32(0.4)] * 2
    assert large["customer_excess_3d"].tolist()[7:] == [4] * 2


def test_mean_amount_of_frauds_counts_known_frauds_only() -> None:
    known = {"timestamp": np.arange(11) * DAY, "is_fraud": np.array([0, 1, 1, *[0] * 8])}
    one = np.zeros(11, np.int32)
    rows = payment_rows(11, **known, customer_id=one, terminal_id=one, amount=np.arange(11) * 10.0)
    found = feature_columns(rows)["terminal_fraud_mean_30d"]
    assert found.tolist() == [0] * 8 + [10, 15, 15]  # the second fraud is known on day 9


def test_ratio_is_one_for_a_card_that_only_paid_zero() -> None:
    assert one_card(0, 0)["amount_over_typical"].tolist() == [1, 1]


def test_a_busy_terminal_has_the_features_of_the_table(tmp_path: Path) -> None:
    count = MAX_ROWS + 500
    hour = DAY // 24
    random = np.random.default_rng(0)
    table = payment_rows(
        count,
        transaction_id=np.array([f"{n:05d}" for n in range(count)], object),
        timestamp=hour * np.arange(count) // 100,
        customer_id=random.integers(0, 3, count).astype(str).astype(object),
        amount=np.round(random.exponential(50, count), 2),
        is_fraud=(random.random(count) < 0.1).astype(np.float64),
    )
    later = np.arange(count - 5, count) * hour // 100 + LABEL_DELAY_DAYS * DAY
    asked = take(table, np.arange(count - 5, count))
    asked = {**asked, "timestamp": later, "transaction_id": np.array([*"abcde"], object)}
    both = concatenate([table, asked])
    codes = {n: np.unique(both[n], return_inverse=True)[1] for n in ("customer_id", "terminal_id")}
    expected = feature_columns({**both, **codes}, np.arange(count, count + 5))
    assert expected["terminal_count_30d"].tolist() == [MAX_ROWS] * 5
    store = SqliteStore(tmp_path / "state.db", HISTORY)
    with store.transaction():
        store.add(both)
        histories = store.history(asked)
    assert histories[0]["terminal_id"] is histories[4]["terminal_id"]
    assert len(histories[0]["terminal_id"]["timestamp"]) < MAX_ROWS + 10
    computed = HISTORY.features(asked, histories)
    assert {n: v.tolist() for n, v in computed.items()} == {
        n: v.tolist() for n, v in expected.items()
    }
