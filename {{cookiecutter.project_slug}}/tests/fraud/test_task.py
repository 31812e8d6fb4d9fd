"""A request: what is refused, and what of its history counts."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from project_package.fraud.task import (
    API,
    FraudAssets,
    FraudRequest,
    assets,
    decode,
    respond,
    signals,
    write_assets,
)
from project_package.fraud.features import DESCRIPTIONS, INPUTS
from project_package.onnx_model import features

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
CARD, TERMINAL = "card", "terminal"


def payment(name: str = "now", **changes: Any) -> dict[str, Any]:
    known = {"timestamp": NOON, "customer_id": CARD, "terminal_id": TERMINAL, "amount": 50.0}
    return {"transaction_id": name, **known, **changes}


def past(name: str, days: float, **changes: Any) -> dict[str, Any]:
    return payment(name, **{"timestamp": NOON - timedelta(days=days), **changes})


def request(*history: dict[str, Any], **changes: Any) -> FraudRequest:
    return FraudRequest.model_validate({"transaction": payment(**changes), "history": history})


def computed(*requests: FraudRequest) -> dict[str, list[float]]:
    return {name: features(API, requests)[name].tolist() for name in (*INPUTS, "timestamp")}


@pytest.mark.parametrize(
    ("history", "rule"),
    [
        (past("a", -0.01), r"history\[0\].timestamp is later than the transaction"),
        (
            past("a", 1, customer_id="b", terminal_id="c"),
            r"history\[0\] is of another customer and another terminal",
        ),
        (past("now", 1), r"history\[0\].transaction_id is there twice"),
        (past("a", 7), r"history\[0\].is_fraud must be known"),
        (past("a", 1, amount=float("nan")), "history.0.amount"),
        (past("a", 1, is_fraud="perhaps"), "history.0.is_fraud"),
        (past("", 1), "history.0.transaction_id"),
        (past("a", 1, merchant="m"), "history.0.merchant"),
    ],
)
def test_a_history_that_cannot_be_is_refused(history: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(history)


@pytest.mark.parametrize(
    "amount", [float("nan"), float("inf"), -float("inf"), -0.01, 0.00005, 1e9, "much"]
)
def test_an_amount_that_is_none_is_refused(amount: Any) -> None:
    with pytest.raises(ValidationError, match=r"transaction\.amount"):
        request(amount=amount)


def test_a_payment_without_history_is_its_own_first() -> None:
    found = computed(request())
    assert found["customer_count_30d"] == [1]
    assert found["customer_mean_7d"] == [50]
    assert found["terminal_count_30d"] == [0]
    assert found["amount_over_typical"] == [1]


def test_the_history_of_a_card_and_that_of_a_terminal_are_told_apart() -> None:
    mine = past("a", 2, terminal_id="elsewhere", amount=10.0)
    others = past("b", 10, customer_id="other", is_fraud=True)
    found = computed(request(mine, others))
    assert found["customer_count_7d"] == [2]
    assert found["customer_mean_7d"] == [30]
    assert (found["terminal_count_7d"], found["terminal_risk_7d"]) == ([1], [1])


def test_a_payment_that_is_sent_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"history\[1\].transaction_id is there twice"):
        request(past("a", 1), past("a", 1))


def test_a_label_of_another_terminal_is_not_asked_for() -> None:
    found = computed(request(past("a", 8, terminal_id="elsewhere")))
    assert (found["customer_count_30d"], found["terminal_count_30d"]) == ([2], [0])


@given(st.lists(st.tuples(st.floats(0, 6.99), st.booleans()), min_size=1, max_size=5))
def test_a_label_younger_than_seven_days_never_matters(young: list[tuple[float, bool]]) -> None:
    old = past("old", 8, is_fraud=True)
    rows = [past(f"y{place}", days) for place, (days, _) in enumerate(young)]
    labelled = [{**row, "is_fraud": label} for row, (_, label) in zip(rows, young, strict=True)]
    assert computed(request(old, *rows)) == computed(request(old, *labelled))


def test_a_label_that_is_seven_days_old_matters() -> None:
    fraud, genuine = (request(past("a", 7, is_fraud=label)) for label in (True, False))
    assert computed(fraud)["terminal_risk_1d"] == [1]
    assert computed(genuine)["terminal_risk_1d"] == [0]


@given(st.integers(-14 * 4, 14 * 4))
def test_the_same_moment_in_any_zone_gives_the_same_features(quarters: int) -> None:
    now = NOON.astimezone(timezone(timedelta(minutes=15 * quarters)))
    moved = request(payment("a", timestamp=now - timedelta(days=1)), timestamp=now)
    assert computed(moved) == computed(request(past("a", 1)))


def test_a_time_without_a_zone_is_utc() -> None:
    assert computed(request(timestamp=NOON.replace(tzinfo=None))) == computed(request())


def test_the_order_of_the_history_does_not_matter() -> None:
    history = [past(f"h{days}", days, amount=10.0 * days, is_fraud=days > 9) for days in range(20)]
    assert computed(request(*history)) == computed(request(*reversed(history)))


def test_requests_do_not_see_one_another() -> None:
    mine = request(past("a", 1, amount=10.0), past("c", 8, is_fraud=True))
    other = request(past("b", 1, amount=99.0), timestamp=NOON - timedelta(hours=1))
    together = computed(mine, other, mine)
    alone, elsewhere = computed(mine), computed(other)
    assert together == {name: [*v, *elsewhere[name], *v] for name, v in alone.items()}


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1989-12-31T23:59:59Z",
        "2999-01-01T00:00:00Z",
    ],
)
def test_a_time_that_cannot_be_is_refused_by_table_and_request_alike(moment: str) -> None:
    with pytest.raises(ValidationError, match="must lie between 1990-01-01 and tomorrow"):
        request(timestamp=moment)


def test_a_score_at_the_threshold_is_reviewed() -> None:
    known = FraudAssets(features=INPUTS, threshold=0.25)
    outputs = {"score": np.array([0.2499, 0.25, 0.9], np.float32)}
    assert decode(outputs, {}, known)["decision"].tolist() == [False, True, True]


def test_the_reasons_are_the_three_that_moved_the_score_most() -> None:
    moves = np.zeros((1, len(INPUTS)), np.float32)
    moves[0, [2, 5, 7]] = [0.5, -2.0, 1.0]
    score, decision = np.array([0.5]), np.array([True])
    predictions = {"score": score, "decision": decision, "contributions": moves}
    (told,) = respond(predictions, FraudAssets(features=INPUTS, threshold=0.5))
    answer = json.loads(told)
    assert [reason["feature"] for reason in answer["reasons"]] == [INPUTS[5], INPUTS[7], INPUTS[2]]
    assert [reason["effect"] for reason in answer["reasons"]] == [-2.0, 1.0, 0.5]
    assert answer["reasons"][0]["meaning"] == DESCRIPTIONS[INPUTS[5]]


def test_assets_are_read_as_they_were_written() -> None:
    known = FraudAssets(features=INPUTS, threshold=1 / 3)
    assert assets(write_assets(known)) == known


def test_the_watched_hour_is_that_of_utc() -> None:
    zone = timezone(timedelta(hours=5))
    columns = features(API, [request(timestamp=datetime(2024, 5, 1, 3, tzinfo=zone))])
    watched = signals(columns, {"score": np.array([0.5])})
    assert (watched["hour"].tolist(), watched["amount"].tolist()) == ([22], [50])


def test_inputs_are_stacked_in_the_order_of_training() -> None:
    columns = features(API, [request(), request(amount=7.0)])
    stacked = API.encode(columns, FraudAssets(features=INPUTS[::-1], threshold=0.5))["features"]
    assert stacked.dtype == np.float32
    assert stacked[:, INPUTS[::-1].index("amount")].tolist() == [50, 7]
