"""Fields of events: which times and amounts are refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from project_package.time_and_money_fields import (
    EARLIEST,
    MONEY_LIMIT,
    PERIOD,
    Moment,
    Money,
    Period,
)

TIMES: TypeAdapter[datetime] = TypeAdapter(Moment)


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
    check = Period(timedelta(days=1), "must be recent")
    latest = datetime.now(UTC) + timedelta(days=1)
    assert [check(EARLIEST), check(latest)] == [EARLIEST, latest]
    with pytest.raises(ValueError, match=r"^must be recent$"):
        check(latest + timedelta(minutes=1))


def test_date_is_validated_at_its_midnight() -> None:
    check = Period(timedelta(0), "must be over")
    today = datetime.now(UTC).date()
    assert check(today) == today
    for outside in (EARLIEST.date() - timedelta(days=1), today + timedelta(days=1), date.max):
        with pytest.raises(ValueError, match=r"^must be over$"):
            check(outside)


def test_impossible_amount_is_refused() -> None:
    amounts: TypeAdapter[float] = TypeAdapter(Money)
    fine = [0, 999_999_999.99]
    assert [amounts.validate_python(amount) for amount in fine] == fine
    for wrong in (-0.01, MONEY_LIMIT, float("nan"), float("inf"), "much"):
        with pytest.raises(ValidationError):
            amounts.validate_python(wrong)
