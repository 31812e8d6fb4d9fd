"""Shared fields of requests: what is refused, and what becomes of a time."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from project_package.fields import (
    EARLIEST,
    LONGEST_ID,
    MONEY_LIMIT,
    PERIOD,
    Identifier,
    Moment,
    Money,
    milliseconds,
    numbers,
    objects,
    until,
)

TIMES: TypeAdapter[datetime] = TypeAdapter(Moment)


def test_a_time_becomes_one_of_utc() -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    for same in (noon, noon.replace(tzinfo=None), noon.astimezone(timezone(timedelta(hours=5)))):
        found = TIMES.validate_python(same)
        assert (found, found.tzinfo) == (noon, UTC)


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1989-12-31T23:59:59Z",
        "2999-01-01T00:00:00Z",
    ],
)
def test_a_time_that_cannot_be_is_refused(moment: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TIMES.validate_python(moment)
    assert PERIOD in str(refused.value)


def test_the_first_and_the_last_time_are_taken() -> None:
    check = until(timedelta(days=1), "must be of our days")
    latest = datetime.now(UTC) + timedelta(days=1)
    assert [check(EARLIEST), check(latest)] == [EARLIEST, latest]
    with pytest.raises(ValueError, match=r"^must be of our days$"):
        check(latest + timedelta(minutes=1))


@pytest.mark.parametrize("amount", [-0.01, MONEY_LIMIT, float("nan"), float("inf"), "much"])
def test_an_amount_that_is_none_is_refused(amount: Any) -> None:
    adapter: TypeAdapter[float] = TypeAdapter(Money)
    assert [adapter.validate_python(fine) for fine in (0, 999_999_999.99)] == [0, 999_999_999.99]
    with pytest.raises(ValidationError):
        adapter.validate_python(amount)


@pytest.mark.parametrize("name", ["", "x" * (LONGEST_ID + 1), 7])
def test_an_identifier_that_is_none_is_refused(name: Any) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(Identifier)
    assert adapter.validate_python("x" * LONGEST_ID) == "x" * LONGEST_ID
    with pytest.raises(ValidationError):
        adapter.validate_python(name)


def test_milliseconds_are_whole_before_and_after_1970() -> None:
    after = datetime(1970, 1, 2, 0, 0, 1, 2999, tzinfo=UTC)
    before = datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert milliseconds([after, before]).tolist() == [86_401_002, -1]


def test_numbers_are_written_as_json_writes_them() -> None:
    values = np.array([1 / 3, 1e-7, np.nan])
    assert [json.loads(text) for text in numbers(values)] == [1 / 3, 1e-7, None]
    assert numbers(np.array([2, -3])) == ["2", "-3"]


def test_a_row_of_named_numbers_is_an_object() -> None:
    columns = {"a": np.array([1, 2]), "share": np.array([0.5, np.inf])}
    told = [json.loads(text) for text in objects(columns)]
    assert told == [{"a": 1, "share": 0.5}, {"a": 2, "share": None}]
