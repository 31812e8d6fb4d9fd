"""Flat models become rows: a column for each field."""

from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel

from project_package.columns import columns_of, milliseconds, to_rows


class Payment(BaseModel):
    card: str
    timestamp: datetime
    amount: float
    note: str | None = None
    kind: Literal["buy", "return"] = "buy"
    is_fraud: bool | None = None


def test_two_dates_are_refused() -> None:
    class Both(BaseModel):
        day: date
        timestamp: datetime

    with pytest.raises(TypeError, match="Both has two dates"):
        columns_of(Both)


def test_milliseconds_are_whole_before_and_after_1970() -> None:
    after = datetime(1970, 1, 2, 0, 0, 1, 2999, tzinfo=UTC)
    before = datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert milliseconds([after, before]).tolist() == [86_401_002, -1]
    assert milliseconds([date(1970, 1, 2)]).tolist() == [86_400_000]


def test_fields_are_columns_with_a_type() -> None:
    assert columns_of(Payment) == {
        "card": str,
        "timestamp": int,
        "amount": float,
        "note": str,
        "kind": str,
        "is_fraud": float,
    }


def test_requests_become_rows() -> None:
    payment = Payment(card="a", timestamp=datetime(1990, 1, 1, tzinfo=UTC), amount=2, is_fraud=True)
    rows = to_rows([payment, payment.model_copy(update={"is_fraud": None, "note": "x"})])
    assert rows["timestamp"].tolist() == [631_152_000_000] * 2
    assert rows["note"].tolist() == [None, "x"]
    assert rows["kind"].dtype == object
    np.testing.assert_array_equal(rows["is_fraud"], [1, np.nan])


def test_no_requests_become_empty_columns() -> None:
    rows = to_rows([], Payment)
    assert {name: len(values) for name, values in rows.items()} == dict.fromkeys(rows, 0)
    assert rows.keys() == columns_of(Payment).keys()
