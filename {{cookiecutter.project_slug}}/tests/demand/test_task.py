"""A request: what is refused, what of its history counts, and what the bounds become."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from project_package.demand.task import (
    API,
    LEAST_HISTORY,
    DemandAssets,
    DemandRequest,
    SoldWeek,
    assets,
    decode,
    respond,
    signals,
    write_assets,
)
from project_package.demand.features import INPUTS
from project_package.onnx_model import features

MONDAY = date(2024, 5, 6)
KNOWN = DemandAssets(features=INPUTS, low_factor=0.9, high_factor=1.2)
POSITIVE = st.floats(0, 1000, width=32)


def past(weeks_ago: int, **changes: Any) -> dict[str, Any]:
    week = MONDAY - timedelta(weeks=weeks_ago)
    return {"week": week, "units": 10.0, "sales": 20.0, **changes}


def request(weeks: int = 9, plan: dict[str, Any] | None = None, **last: Any) -> DemandRequest:
    """Ask about a product; `last` changes its newest week of history."""
    history = [past(ago, **(last if ago == 1 else {})) for ago in range(weeks, 0, -1)]
    asked = {"product_id": "P", "history": history, "plan": {"week": MONDAY, **(plan or {})}}
    return DemandRequest.model_validate(asked)


@pytest.mark.parametrize(
    ("last", "rule"),
    [
        ({"units": -1}, r"history\.8\.units"),
        ({"units": 1e6}, r"history\.8\.units"),
        ({"sales": float("nan")}, r"history\.8\.sales"),
        ({"sales": None}, r"history\.8\.sales"),
        ({"ad_front": 1.01}, r"history\.8\.ad_front"),
        ({"discount": float("inf")}, r"history\.8\.discount"),
        ({"store": 7}, r"history\.8\.store"),
        ({"week": MONDAY}, r"history\[8\]\.week must be the Monday after history\[7\]\.week"),
        ({"week": MONDAY - timedelta(days=6)}, "must be a Monday"),
    ],
)
def test_a_week_that_cannot_be_is_refused(last: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(**last)


@pytest.mark.parametrize(
    ("plan", "rule"),
    [
        (
            {"week": MONDAY + timedelta(weeks=1)},
            r"plan\.week must be the Monday after history\[8\]",
        ),
        ({"ad_inside": -0.1}, r"plan\.ad_inside"),
        ({"units": 3}, r"plan\.units"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(plan=plan)


@pytest.mark.parametrize("year", [1989, 2999, 9999])
def test_a_week_of_no_known_time_is_refused(year: int) -> None:
    day = next(date(year, 3, day) for day in range(1, 8) if not date(year, 3, day).weekday())
    sold = {"product_id": "P", "week": day, "units": 1.0, "sales": 1.0}
    for kind, told in (
        (DemandRequest, {"product_id": "P", "plan": {"week": day}}),
        (SoldWeek, sold),
    ):
        with pytest.raises(ValidationError, match="must lie between 1990-01-01 and"):
            kind.model_validate(told)


def test_what_is_sold_is_told_of_no_week_to_come() -> None:
    today = datetime.now(UTC).date()
    week = today + timedelta(days=14 - today.weekday())
    assert DemandRequest.model_validate({"product_id": "P", "plan": {"week": week}})
    with pytest.raises(ValidationError, match="1990-01-01 and tomorrow"):
        SoldWeek.model_validate({"product_id": "P", "week": week, "units": 1.0, "sales": 1.0})


def test_a_history_too_short_or_too_long_is_refused() -> None:
    assert request(LEAST_HISTORY)
    for weeks in (LEAST_HISTORY - 1, 105):
        with pytest.raises(ValidationError, match="history"):
            request(weeks)


def test_the_plan_and_the_history_reach_the_features() -> None:
    found = features(API, [request(plan={"ad_front": 0.5}, units=50.0, ad_inside=0.4)])
    assert found["mean_1w"].tolist() == [50]
    assert found["mean_4w"].tolist() == [20]
    assert found["ad_front"].tolist() == [0.5]
    assert found["ad_1w"].tolist() == [np.float32(0.4)]


def test_weeks_beyond_the_lookback_change_nothing() -> None:
    long, longer = features(API, [request(27)]), features(API, [request(60)])
    assert all(long[name] == longer[name] for name in INPUTS)


def test_requests_do_not_see_one_another() -> None:
    mine, other = request(), request(30, {"display_end": 1}, units=99.0)
    together, alone = features(API, [mine, other, mine]), features(API, [other])
    assert all(together[name][1] == alone[name][0] for name in INPUTS)
    assert all(together[name][0] == together[name][2] for name in INPUTS)


@given(st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE), min_size=1, max_size=5))
def test_bounds_never_cross_and_are_never_negative(rows: list[tuple[float, ...]]) -> None:
    columns = np.array(rows, np.float32).T
    found = decode(dict(zip(("value", "low", "high"), columns, strict=True)), {}, KNOWN)
    assert (found["low"] >= 0).all()
    assert (found["low"] <= found["value"]).all()
    assert (found["value"] <= found["high"]).all()
    assert all(values.dtype == np.float32 for values in found.values())


def test_bounds_are_corrected_by_their_factors() -> None:
    outputs = {"value": [10], "low": [4], "high": [19]}
    found = decode({name: np.array(v, np.float32) for name, v in outputs.items()}, {}, KNOWN)
    assert found["low"].tolist() == [pytest.approx(3.5)]
    assert found["high"].tolist() == [pytest.approx(23)]


def test_an_answer_says_value_low_and_high() -> None:
    predictions = {"value": np.array([3.0]), "low": np.array([1.0]), "high": np.array([7.0])}
    (told,) = respond(predictions, KNOWN)
    assert json.loads(told) == {"value": 3, "low": 1, "high": 7}


def test_level_and_width_are_watched() -> None:
    predictions = {"value": np.array([21.0]), "low": np.array([10.0]), "high": np.array([32.0])}
    watched = signals(features(API, [request()]), predictions)
    assert {name: values.tolist() for name, values in watched.items()} == {
        "level": [10],
        "ratio": [2],
        "width": [2],
    }


def test_assets_are_read_as_they_were_written() -> None:
    assert assets(write_assets(KNOWN)) == KNOWN


def test_inputs_are_stacked_in_the_order_of_training() -> None:
    columns = features(API, [request(), request(units=30.0)])
    turned = DemandAssets(features=INPUTS[::-1], low_factor=1, high_factor=1)
    stacked = API.encode(columns, turned)["features"]
    assert stacked.dtype == np.float32
    assert stacked[:, -1].tolist() == columns[INPUTS[0]].tolist()
