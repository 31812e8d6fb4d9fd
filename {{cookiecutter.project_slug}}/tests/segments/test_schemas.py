"""Requests and events: what is accepted and what is refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from project_package.segments.features import DAYS, MIN_BASKETS
from project_package.segments.schemas import MAX_BASKETS, SegmentsRequest

AS_OF = datetime(2024, 7, 1, tzinfo=UTC)


def request(count: int = 5, as_of: object = AS_OF, **newest: Any) -> SegmentsRequest:
    """Ask about a household with a basket every hour; `newest` changes the last one."""
    baskets = [
        {"basket_id": f"B{n}", "timestamp": AS_OF - timedelta(hours=count - n), "sales": 10.0}
        | (newest if n == count - 1 else {})
        for n in range(count)
    ]
    body = {"household_id": "H", "as_of": as_of, "baskets": baskets}
    return SegmentsRequest.model_validate(body)


@pytest.mark.parametrize(
    ("newest", "rule"),
    [
        ({"sales": -0.01}, r"baskets\.4\.sales"),
        ({"fresh": 8, "drugstore": 2.02}, "sales must be at least fresh, drugstore together"),
        ({"store_brand": 10.02}, "store_brand must be a part of sales"),
        ({"basket_id": "B2"}, r"baskets\[4\]\.basket_id appears twice"),
        ({"timestamp": AS_OF + timedelta(seconds=1)}, r"baskets\[4\]\.timestamp is later than"),
        ({"timestamp": AS_OF - timedelta(days=DAYS)}, r"is 182 days before as_of, or more"),
    ],
)
def test_refuses_an_invalid_basket(newest: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(**newest)


def test_accepts_baskets_at_both_ends_of_the_half_year() -> None:
    for time in (AS_OF, AS_OF - timedelta(days=DAYS) + timedelta(milliseconds=1)):
        request(timestamp=time, fresh=8, drugstore=2.01)


@pytest.mark.parametrize("count", [MIN_BASKETS - 1, MAX_BASKETS + 1])
def test_refuses_too_few_and_too_many_baskets(count: int) -> None:
    with pytest.raises(ValidationError, match="baskets"):
        request(count)


def test_moment_may_follow_a_basket_of_tomorrow() -> None:
    now = datetime.now(UTC)
    body: dict[str, Any] = {"household_id": "H"}
    SegmentsRequest.model_validate({**body, "as_of": now + timedelta(days=1.99)})
    with pytest.raises(ValidationError, match="1990-01-01 and the day after tomorrow"):
        SegmentsRequest.model_validate({**body, "as_of": now + timedelta(days=2.01)})
