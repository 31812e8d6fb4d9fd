"""Requests that are refused, and what the messages say."""

from typing import Any

import pytest
from fraud.payments import payment
from pydantic import ValidationError

from project_package.fraud.schemas import FraudRequest


def request(*history: dict[str, Any], **changes: Any) -> FraudRequest:
    return FraudRequest.model_validate({"transaction": payment(**changes), "history": history})


@pytest.mark.parametrize(
    ("past", "rule"),
    [
        (payment("a", -0.01), r"history\[1\].timestamp is later than the transaction"),
        (
            payment("a", 1, customer_id="b", terminal_id="c"),
            r"history\[1\] is of another customer and another terminal",
        ),
        (payment("now", 1), r"history\[1\].transaction_id is a duplicate"),
        (payment("first", 1), r"history\[1\].transaction_id is a duplicate"),
        (payment("a", 7), r"history\[1\].is_fraud must be known"),
        (payment("a", 1, amount=-0.01), "history.1.amount"),
        (payment("a", 1, amount=0.00005), "must have four decimals at most"),
        (payment("a", 12_600), "must lie between 1990-01-01 and tomorrow"),
        (payment("a", 1, is_fraud="perhaps"), "history.1.is_fraud"),
        (payment("a", 1, unknown="m"), "history.1.unknown"),
    ],
)
def test_rejects_bad_history(past: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        request(payment("first", 1), past)


def test_needs_no_old_labels_of_other_terminals() -> None:
    assert request(payment("a", 8, terminal_id="elsewhere")).history
