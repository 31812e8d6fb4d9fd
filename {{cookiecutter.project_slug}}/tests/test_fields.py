"""Shared fields of requests: what is refused, and how requests become rows."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, Literal

import numpy as np
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from project_package.columns import columns_of, milliseconds, to_rows
from project_package.fields import (
    EARLIEST,
    LONGEST_ID,
    MONEY_LIMIT,
    PERIOD,
    Identifier,
    Moment,
    Money,
    until,
)

TIMES: TypeAdapter[datetime] = TypeAdapter(Moment)


class Payment(BaseModel):
    card: Identifier
    timestamp: Moment
    amount: Money
    note: str | None = None
    kind: Literal["buy", "return"] = "buy"
    is_fraud: bool | None = None


def test_two_dates_are_refused() -> None:
    class Both(BaseModel):
        day: date
        timestamp: datetime

    with pytest.raises(TypeError, match="Both has two dates"):
        columns_of(Both)


def test_times_become_utc() -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    for same in (noon, noon.replace(tzinfo=None), noon.astimezone(timezone(timedelta(hours=5)))):
        found = TIMES.validate_python(same)
        assert (found, found.tzinfo) == (noon, UTC)
    assert TIMES.validate_json('"2024-05-01T14:00:00+02:00"', strict=True) == noon


@pytest.mark.parametrize(
    "moment",
    [
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
        *("1989-12-31T23:59:59Z", "2999-01-01T00:00:00Z"),
    ],
)
def test_impossible_time_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TIMES.validate_python(moment)
    assert PERIOD in str(refused.value)


@pytest.mark.parametrize("moment", ["1700000000", "1700000000.5", "now", ""])
def test_text_that_is_no_iso_time_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError, match="must be a date and time such as 2024-01-31T23"):
        TIMES.validate_python(moment)


def test_first_and_last_time_are_accepted() -> None:
    check = until(timedelta(days=1), "must be recent")
    latest = datetime.now(UTC) + timedelta(days=1)
    assert [check(EARLIEST), check(latest)] == [EARLIEST, latest]
    with pytest.raises(ValueError, match=r"^must be recent$"):
        check(latest + timedelta(minutes=1))


@pytest.mark.parametrize(
    ("field", "fine", "wrong"),
    [
        (Money, [0, 999_999_999.99], [-0.01, MONEY_LIMIT, float("nan"), float("inf"), "much"]),
        (Identifier, ["x" * LONGEST_ID], ["", "x" * (LONGEST_ID + 1), 7, "a\x00b"]),
    ],
)
def test_impossible_value_is_refused(field: Any, fine: list[Any], wrong: list[Any]) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(field)
    assert [adapter.validate_python(value) for value in fine] == fine
    for value in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


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
    payment = Payment(card="a", timestamp=datetime(1990, 1, 1), amount=2, is_fraud=True)
    rows = to_rows([payment, payment.model_copy(update={"is_fraud": None, "note": "x"})])
    assert rows["timestamp"].tolist() == [631_152_000_000] * 2
    assert rows["note"].tolist() == [None, "x"]
    assert rows["kind"].dtype == object
    np.testing.assert_array_equal(rows["is_fraud"], [1, np.nan])


def test_no_requests_become_empty_columns() -> None:
    rows = to_rows([], Payment)
    assert {name: len(values) for name, values in rows.items()} == dict.fromkeys(rows, 0)
    assert rows.keys() == columns_of(Payment).keys()
