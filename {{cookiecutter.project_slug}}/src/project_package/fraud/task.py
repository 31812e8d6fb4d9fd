"""What a request carries and what an answer says; the way from one to the other.

A request is one payment, as a card network sends it. The server remembers the recent payments of
its card and its terminal, or the request carries them: `LOOKBACK_DAYS` of them, at most
`MAX_HISTORY`, with their labels where those are known by now.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, model_validator
from pydantic_core import to_json
from typing_extensions import TypedDict

from ..contract import Api, At, Columns, Files, Frozen, Memory, Past
from ..fields import Identifier, Moment, Money, milliseconds, numbers
from ..features.history import EVENT
from ..features.windows import kept
from .features import (
    CARD,
    DESCRIPTIONS,
    FEATURES,
    LABEL_DELAY_DAYS,
    LOOKBACK_DAYS,
    TERMINAL,
    feature_columns,
)

MAX_HISTORY = 2_000
REASONS = 3
ASSETS = "assets.json"


def _four_decimals(amount: float) -> float:
    if (amount * 10_000).is_integer():  # so are most, and rounding takes ten times as long
        return amount
    if abs(round(amount, 4) - amount) >= 1e-6:
        raise ValueError("must have four decimals at most")
    return amount


Amount = Annotated[Money, AfterValidator(_four_decimals)]


class Payment(Frozen):
    """One payment."""

    transaction_id: Identifier
    timestamp: Moment
    customer_id: Identifier
    terminal_id: Identifier
    amount: Amount


class PastPayment(Payment):
    """A payment of the past, with its label once that is known."""

    is_fraud: bool | None = None


class FraudRequest(Frozen):
    """A payment to judge."""

    transaction: Payment
    history: list[PastPayment] | None = Field(
        default=None,
        max_length=MAX_HISTORY,
        description="recent payments of its card and its terminal; none: those the server knows",
    )

    @model_validator(mode="after")
    def _history_is_of_the_past(self) -> Self:
        if not self.history:
            return self
        mine, seen = self.transaction, {self.transaction.transaction_id}
        due = mine.timestamp - timedelta(days=LABEL_DELAY_DAYS)
        for index, past in enumerate(self.history):
            here = past.terminal_id == mine.terminal_id
            if past.timestamp > mine.timestamp:
                raise ValueError(f"history[{index}].timestamp is later than the transaction")
            if not here and past.customer_id != mine.customer_id:
                raise ValueError(f"history[{index}] is of another customer and another terminal")
            if past.transaction_id in seen:
                raise ValueError(f"history[{index}].transaction_id is there twice")
            if here and past.is_fraud is None and past.timestamp <= due:
                raise ValueError(
                    f"history[{index}].is_fraud must be known: the terminal's payments of more "
                    f"than {LABEL_DELAY_DAYS} days ago count with their labels"
                )
            seen.add(past.transaction_id)
        return self


class Reason(TypedDict):
    """A feature that moved the score."""

    feature: str
    meaning: str
    effect: float
    """Change of the log-odds; above 0 is towards fraud."""


class FraudResponse(TypedDict):
    """The answer for one payment."""

    score: float
    """Probability of fraud."""
    decision: str
    """review or approve."""
    reasons: list[Reason]


RESPONSE = '{"score":%s,"decision":"%s","reasons":[' + ",".join(["%s%s}"] * REASONS) + "]}"
"""A `FraudResponse` as JSON."""
TOLD = {
    name: to_json({"feature": name, "meaning": meaning}).decode()[:-1] + ',"effect":'
    for name, meaning in DESCRIPTIONS.items()
}
"""A `Reason` as JSON, up to its effect."""


class FraudAssets(Frozen):
    """What decode needs beside the graph."""

    features: tuple[str, ...]
    threshold: float


def assets(files: Files) -> FraudAssets:
    """Parse the bundle's assets."""
    return FraudAssets.model_validate_json(files[ASSETS])


def write_assets(found: FraudAssets) -> Files:
    """Write assets for a bundle."""
    return {ASSETS: json.dumps(found.model_dump(mode="json"), indent=2).encode()}


class Label(Frozen):
    """What a payment turned out to be."""

    transaction_id: Identifier
    is_fraud: bool


def payment_rows(payments: Sequence[Payment]) -> Columns:
    """Turn payments into rows; their labels are not known yet."""
    return {
        "timestamp": milliseconds([payment.timestamp for payment in payments]),
        CARD: np.array([payment.customer_id for payment in payments], object),
        TERMINAL: np.array([payment.terminal_id for payment in payments], object),
        "amount": np.array([payment.amount for payment in payments]),
        "is_fraud": np.zeros(len(payments)),
        EVENT: np.array([payment.transaction_id for payment in payments], object),
    }


def past_rows(payments: Sequence[PastPayment]) -> Columns:
    """Turn payments of the past into rows; a label that is not known yet is none."""
    labels = np.array([float(payment.is_fraud or False) for payment in payments])
    return {**payment_rows(payments), "is_fraud": labels}


def label_rows(labels: Sequence[Label]) -> Columns:
    """Turn labels into rows."""
    return {
        EVENT: np.array([label.transaction_id for label in labels], object),
        "is_fraud": np.array([float(label.is_fraud) for label in labels]),
    }


def carried(request: FraudRequest) -> Past | None:
    """Give the payments of card and terminal that a request carries, in the order of the table."""
    if not request.history:
        return None if request.history is None else {}
    rows, mine = past_rows(request.history), request.transaction
    order = np.lexsort((rows[EVENT].astype(str), rows["timestamp"]))
    own = {CARD: rows[CARD] == mine.customer_id, TERMINAL: rows[TERMINAL] == mine.terminal_id}
    return {
        entity: {name: rows[name][order][own[entity][order]] for name in ("timestamp", *names)}
        for entity, names in MEMORY.entities.items()
    }


def features(rows: Columns, at: At) -> Columns:
    """Compute the features of payments; the hour is watched too."""
    return {**feature_columns(rows, at), "timestamp": rows["timestamp"][at]}


def encode(columns: Columns, known: FraudAssets) -> Columns:
    """Stack the features in the order of training: float32 of shape (rows, features)."""
    stacked = np.column_stack([columns[name] for name in known.features])
    return {"features": stacked.astype(np.float32, copy=False)}


def decode(outputs: Columns, _: Columns, known: FraudAssets) -> Columns:
    """Add the decision to the score, (rows,); contributions stay, (rows, features)."""
    score = outputs["score"]
    return {**outputs, "decision": score >= np.float32(known.threshold)}


def top(contributions: NDArray[np.float32]) -> NDArray[np.int64]:
    """Give the places of the features that moved each row's score most, largest first."""
    return np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :REASONS]


def respond(predictions: Columns, known: FraudAssets) -> list[str]:
    """Write one response a row, as JSON: from whole columns, in half of the time."""
    contributions = predictions["contributions"]
    places = top(contributions)
    effects = np.take_along_axis(contributions, places, axis=1)
    told = [TOLD[name] for name in known.features]
    reasons = (
        column
        for rank in range(REASONS)
        for column in ([told[n] for n in places[:, rank].tolist()], numbers(effects[:, rank]))
    )
    decisions = ["review" if flagged else "approve" for flagged in predictions["decision"].tolist()]
    rows = zip(numbers(predictions["score"]), decisions, *reasons, strict=True)
    return [RESPONSE % row for row in rows]


def signals(columns: Columns, predictions: Columns) -> Columns:
    """Watch amount, hour (UTC) and score."""
    hour = columns["timestamp"] // 3_600_000 % 24
    return {"amount": columns["amount"], "hour": hour, "score": predictions["score"]}


MEMORY = Memory(
    entities=kept(FEATURES),
    days=LOOKBACK_DAYS,
    subject=CARD,
    event=PastPayment,
    rows=past_rows,
    late=("is_fraud",),
    label=Label,
    labels=label_rows,
)
API = Api(
    name="fraud",
    request=FraudRequest,
    response=FraudResponse,
    assets=assets,
    memory=MEMORY,
    rows=lambda requests: payment_rows([request.transaction for request in requests]),
    carried=carried,
    lacks=lambda _, __: "",
    features=features,
    encode=encode,
    decode=decode,
    respond=respond,
    signals=signals,
)
