"""Requests and events: what is accepted and what is refused."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from project_package.demand.schemas import (
    MAX_HISTORY,
    MIN_HISTORY,
    DemandRequest,
    SoldWeek,
)

MONDAY = date(2024, 5, 6)


def request(weeks: int = 9, plan: dict[str, Any] | None = None, **newest: Any) -> DemandRequest:
    """Ask about a product; `newest` changes the last week of its history."""
    history = [
        {"week": MONDAY - timedelta(weeks=ago), "units": 10.0, "sales": 20.0}
        | (newest if ago == 1 else {})
        for ago in range(weeks, 0, -1)
    ]
    body = {"product_id": "P", "history": history, "plan": {"week": MONDAY, **(plan or {})}}
    return DemandRequest.model_validate(body)


@pytest.mark.parametrize(
    ("newest", "rule"),
    [
        ({"units": -1}, r"history\.8\.units"),
        ({"units": 1e6}, r"history\.8\.units"),
        ({"sales": float("nan")}, r"history\.8\.sales"),
        ({"sales": None}, r"history\.8\.sales"),
        ({"ad_front": 1.01}, r"history\.8\.ad_front"),
        ({"store": 7}, r"history\.8\.store"),
        ({"week": MONDAY}, r"history\[8\]\.week must be the Monday after history\[7\]\.week"),
        ({"week": MONDAY - timedelta(days=6)}, "must be a Monday"),
    ],
)
def test_refuses_an_invalid_past_week(newest: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(**newest)


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        ({"week": MONDAY + timedelta(weeks=1)}, r"plan\.week must be the Monday after history\[8"),
        ({"ad_inside": -0.1}, r"plan\.ad_inside"),
        ({"units": 3}, r"plan\.units"),
    ],
)
def test_refuses_an_invalid_plan(plan: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(plan=plan)


@pytest.mark.parametrize("weeks", [MIN_HISTORY - 1, MAX_HISTORY + 1])
def test_refuses_a_history_of_another_length(weeks: int) -> None:
    with pytest.raises(ValidationError, match="history"):
        request(weeks)


@pytest.mark.parametrize("day", ["1989-03-06", "2999-03-04", "9999-03-01"])
def test_refuses_a_week_outside_the_period(day: str) -> None:
    sold = {"product_id": "P", "week": day, "units": 1.0, "sales": 1.0}
    asked = {"product_id": "P", "plan": {"week": day}}
    for model, body in ((DemandRequest, asked), (SoldWeek, sold)):
        with pytest.raises(ValidationError, match="must lie between 1990-01-01 and"):
            model.model_validate(body)


def test_week_to_come_has_a_plan_but_no_sales() -> None:
    today = datetime.now(UTC).date()
    week = today + timedelta(days=14 - today.weekday())
    DemandRequest.model_validate({"product_id": "P", "plan": {"week": week}})
    with pytest.raises(ValidationError, match="1990-01-01 and tomorrow"):
        SoldWeek.model_validate({"product_id": "P", "week": week, "units": 1.0, "sales": 1.0})


@pytest.mark.parametrize("week", ['"1714953600"', "1714953600", '"06.05.2024"', '"2024-05-06T00"'])
def test_week_is_text_in_iso_8601(week: str) -> None:
    body = '{"product_id": "P", "plan": {"week": %s}}'
    DemandRequest.model_validate_json(body % '"2024-05-06"', strict=True)
    with pytest.raises(ValidationError, match=r"plan\.week"):
        DemandRequest.model_validate_json(body % week, strict=True)
