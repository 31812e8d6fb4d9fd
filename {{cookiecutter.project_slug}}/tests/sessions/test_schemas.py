"""Requests and events: what is accepted and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from project_package.sessions.features import DAYS
from project_package.sessions.schemas import MAX_COUNT, Purchase, SessionsRequest

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)
LEAST = timedelta(milliseconds=1)


def request(**changes: Any) -> SessionsRequest:
    return SessionsRequest.model_validate({"household_id": "H", "as_of": AS_OF, **changes})


def basket(timestamp: datetime, *items: str) -> dict[str, Any]:
    return {"timestamp": timestamp, "items": items or ["A"]}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"household_id": ""}, "household_id"),
        ({"count": 0}, "greater than or equal to 1"),
        ({"count": MAX_COUNT + 1}, "less than or equal to 50"),
        ({"exclude": [""]}, r"exclude\.0"),
        ({"exclude": ["A"] * 10_001}, "at most 10000 items"),
        ({"baskets": [basket(AS_OF)] * 1_001}, "at most 1000 items"),
        ({"baskets": [{"timestamp": AS_OF, "items": []}]}, "at least 1 item"),
        ({"baskets": [basket(AS_OF, *["A"] * 501)]}, "at most 500 items"),
        ({"baskets": [basket(AS_OF), basket(AS_OF + LEAST)]}, r"baskets\[1\]\.timestamp is later"),
        ({"baskets": [basket(AS_OF - timedelta(days=DAYS))]}, "is 365 days before as_of, or more"),
        ({"amount": 1}, "Extra inputs are not permitted"),
    ],
)
def test_refuses_an_invalid_request(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(**changes)


def test_accepts_values_at_the_limits() -> None:
    ends = [basket(AS_OF), basket(AS_OF - timedelta(days=DAYS) + LEAST, *["A"] * 500)]
    found = request(baskets=ends, count=MAX_COUNT, exclude=["A"] * 10_000)
    assert found.baskets is not None
    assert len(found.baskets) == 2


def test_baskets_are_optional_but_may_be_empty() -> None:
    assert request().baskets is None
    assert request(baskets=[]).baskets == []


def test_moment_may_follow_a_basket_of_tomorrow() -> None:
    now = datetime.now(UTC)
    request(as_of=now + timedelta(days=1.99))
    with pytest.raises(ValidationError, match="1990-01-01 and the day after tomorrow"):
        request(as_of=now + timedelta(days=2.01))


def test_purchase_lies_between_1990_and_tomorrow() -> None:
    values = {"household_id": "H", "item": "A"}
    Purchase.model_validate({**values, "timestamp": "1990-01-01T00:00:00Z"})
    for time in ("1989-12-31T23:59:59Z", "2999-01-01T00:00:00Z"):
        with pytest.raises(ValidationError, match="between 1990-01-01 and tomorrow"):
            Purchase.model_validate({**values, "timestamp": time})
