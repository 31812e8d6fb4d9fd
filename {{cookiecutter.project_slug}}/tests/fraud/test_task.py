"""Rows, features, decisions and responses of requests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from fraud.payments import payment
from multiplying import MANIFEST

from project_package.bundle import Bundle
from project_package.columns import Columns
from project_package.errors import ModelError
from project_package.fraud.decide_and_explain import ASSETS, Assets, FraudModel
from project_package.fraud.features import DESCRIPTIONS, INPUTS
from project_package.fraud.schemas import FraudRequest
from project_package.fraud.task import HISTORY, load, make_task, monitored

TASK = make_task(Bundle({}, MANIFEST))


def request(*history: dict[str, Any], explain: bool = False, **changes: Any) -> FraudRequest:
    body = {"transaction": payment(**changes), "history": history, "explain": explain}
    return FraudRequest.model_validate(body)


def features(*requests: FraudRequest) -> Mapping[str, list[float]]:
    histories = [HISTORY.from_request(request) or {} for request in requests]
    computed = HISTORY.features(TASK.to_rows(requests), histories)
    return {name: values.tolist() for name, values in computed.items()}


def test_card_and_terminal_have_their_own_history() -> None:
    mine = payment("a", 2, terminal_id="elsewhere", amount=10.0)
    others = payment("b", 10, customer_id="other", is_fraud=True)
    found = features(request(mine, others))
    assert found["customer_count_30d"] == [2]
    assert (found["terminal_count_30d"], found["terminal_risk_30d"]) == ([1], [1])


@pytest.mark.parametrize("label", [True, False])
def test_label_counts_after_seven_days(label: bool) -> None:
    early, late = (
        features(request(payment("a", days, is_fraud=label)))["terminal_risk_1d"]
        for days in (6.99, 7)
    )
    assert (early, late) == ([0], [label])


def test_order_of_history_does_not_matter() -> None:
    history = [payment(f"h{n}", n // 2, amount=10.0 * n, is_fraud=n % 3 == 0) for n in range(20)]
    assert features(request(*history)) == features(request(*reversed(history)))


def test_history_comes_from_the_store_when_there_is_none() -> None:
    alone = FraudRequest.model_validate({"transaction": payment()})
    assert HISTORY.needs_store(alone)
    assert not HISTORY.needs_store(request())


@dataclass(frozen=True)
class AmountModel:
    """A logistic model of the amount, with log-odds 0 at 100."""

    def predict(self, rows: Columns) -> Columns:
        return {"score": (1 / (1 + np.exp(1 - rows["amount"] / 100))).astype(np.float32)}


MODEL = FraudModel(AmountModel(), Assets(medians=dict.fromkeys(INPUTS, 50.0), threshold=0.5))


def rows(**columns: Any) -> Columns:
    found = {name: np.zeros(3, np.float32) for name in INPUTS}
    return {**found, "amount": np.array([50, 100, 200], np.float32), **columns}


def test_score_at_the_threshold_is_flagged() -> None:
    assert MODEL.predict(rows())["decision"].tolist() == [False, True, True]


def test_only_flagged_or_asked_rows_are_explained() -> None:
    def explained(rows: Columns) -> list[bool]:
        return [bool(row.any()) for row in MODEL.predict(rows)["effects"]]

    asked = {"explain": np.array([True, False, False]), "amount": np.array([20.0, 100, 200])}
    assert explained(rows()) == [False, True, True]
    assert explained(rows(**asked)) == [True, True, True]


def test_effects_follow_the_code_when_a_feature_is_new_to_it() -> None:
    older = {name: 50.0 for name in reversed(INPUTS) if name != INPUTS[-1]}
    model = replace(MODEL, assets=Assets(medians=older, threshold=0.5))
    assert np.array_equal(model.predict(rows())["effects"], MODEL.predict(rows())["effects"])


def test_response_has_the_three_strongest_reasons() -> None:
    moved = np.zeros((2, len(INPUTS)), np.float32)
    moved[0, [2, 5, 7, 9]] = [0.5, -2.0, 1.0, 0.1]
    predictions = {"score": np.array([0.5, 0.1]), "decision": np.array([True, False])}
    flagged, approved = TASK.to_responses({}, {**predictions, "effects": moved})
    reasons = flagged.model_dump()["reasons"]
    assert [reason["feature"] for reason in reasons] == [INPUTS[5], INPUTS[7], INPUTS[2]]
    assert [reason["effect"] for reason in reasons] == [-2.0, 1.0, 0.5]
    assert reasons[0]["meaning"] == DESCRIPTIONS[INPUTS[5]]
    assert approved.model_dump() == {"score": 0.1, "decision": "approve", "reasons": []}


def test_monitored_hour_is_utc() -> None:
    zone = timezone(timedelta(hours=5))
    raw = TASK.to_rows([request(timestamp=datetime(2024, 5, 1, 3, tzinfo=zone))])
    watched = monitored(raw, {"score": np.array([0.5])})
    assert (watched["hour"].tolist(), watched["amount"].tolist()) == ([22], [50])


def test_model_with_a_feature_that_the_code_lacks_is_refused() -> None:
    assets = Assets(threshold=0.5, medians={"amount": 1.0, "customer_count_7d": 2.0})
    bundle = Bundle({ASSETS: assets.model_dump_json().encode()}, MANIFEST)
    with pytest.raises(ModelError, match=r"not declare customer_count_7d, .* run `ml rollback`\."):
        load(bundle)
