"""What the API takes and returns: payments, their labels, requests and responses.

The fields of `PastPayment` are the raw columns everywhere: of an own source, of the feature table,
of the event store and of the history of a request. A new field belongs to `Payment`; the rules of a
field hold in all of them.
"""

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ..fields import Identifier
from ..frozen import Frozen
from ..time_and_money_fields import Moment, Money
from .features import LABEL_DELAY_DAYS

MAX_HISTORY = 2_000
"""Payments that a request may carry."""


def _four_decimals(amount: float) -> float:
    if (amount * 10_000).is_integer():  # true of most, and ten times as fast as rounding
        return amount
    if abs(round(amount, 4) - amount) >= 1e-6:
        raise ValueError("must have four decimals at most")
    return amount


class Payment(Frozen):
    """A payment, as a card network sends it."""

    model_config = ConfigDict(allow_inf_nan=False)

    transaction_id: Identifier
    timestamp: Moment
    customer_id: Identifier
    terminal_id: Identifier
    amount: Annotated[Money, AfterValidator(_four_decimals)]


class PastPayment(Payment):
    """A payment that was made earlier."""

    is_fraud: bool | None = Field(default=None, description="null until the label is known")


class Label(Frozen):
    """What a payment turned out to be."""

    transaction_id: Identifier
    is_fraud: bool


class FraudRequest(Frozen):
    """A payment to score."""

    transaction: Payment
    history: list[PastPayment] | None = Field(
        default=None,
        max_length=MAX_HISTORY,
        fail_fast=True,
        description="recent payments of its card and its terminal; null: those in the event store",
    )
    explain: bool = Field(
        default=False, description="return reasons even when the payment is not flagged"
    )

    @model_validator(mode="after")
    def _check_history(self) -> Self:
        transaction = self.transaction
        seen = {self.transaction.transaction_id}
        due = transaction.timestamp - timedelta(days=LABEL_DELAY_DAYS)
        for index, past in enumerate(self.history or ()):
            same_terminal = past.terminal_id == transaction.terminal_id
            if past.timestamp > transaction.timestamp:
                raise ValueError(f"history[{index}].timestamp is later than the transaction")
            if not same_terminal and past.customer_id != transaction.customer_id:
                raise ValueError(f"history[{index}] is of another customer and another terminal")
            if past.transaction_id in seen:
                raise ValueError(f"history[{index}].transaction_id is a duplicate")
            if same_terminal and past.is_fraud is None and past.timestamp <= due:
                raise ValueError(
                    f"history[{index}].is_fraud must be known: payments at the terminal that are "
                    f"more than {LABEL_DELAY_DAYS} days old count with their labels"
                )
            seen.add(past.transaction_id)
        return self


class Reason(Frozen):
    """A feature that moved the score."""

    feature: str
    meaning: str
    effect: float = Field(
        description="log-odds of the score, less those with the feature at its training median; "
        "above 0 is towards fraud"
    )


class FraudResponse(Frozen):
    """The answer for one payment."""

    score: float = Field(description="probability of fraud")
    decision: Literal["review", "approve"]
    reasons: list[Reason] = Field(
        description="the features that moved the score most, largest first; empty when the payment "
        "is neither flagged nor sent with explain"
    )
