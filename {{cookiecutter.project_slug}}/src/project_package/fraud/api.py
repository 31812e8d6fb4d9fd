"""What a request carries and what an answer says; the way from one to the other.

A request is one payment and the recent payments of its card and its terminal: `LOOKBACK_DAYS` of
them, at most `MAX_HISTORY`, with their labels where those are known by now.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, Field, model_validator

from ..contract import Api, Columns, Files, Frozen
from ..fields import Identifier, Moment, Money, milliseconds
from .features import CARD, DESCRIPTIONS, LABEL_DELAY_DAYS, TERMINAL, feature_columns

MAX_HISTORY = 2_000
REASONS = 3
ASSETS = "assets.json"


def _four_decimals(amount: float) -> float:
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
    """A payment to judge, and the recent payments of its card and its terminal."""

    transaction: Payment
    history: list[PastPayment] = Field(default_factory=list, max_length=MAX_HISTORY)

    @model_validator(mode="after")
    def _history_is_of_the_past(self) -> Self:
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


class Reason(BaseModel):
    """A feature that moved the score."""

    feature: str
    meaning: str
    effect: float
    """Change of the log-odds; above 0 is towards fraud."""


class FraudResponse(BaseModel):
    """The answer for one payment."""

    score: float
    """Probability of fraud."""
    decision: str
    """review or approve."""
    reasons: list[Reason]


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


def features(requests: Sequence[FraudRequest]) -> Columns:
    """Compute the features of each request's payment from its history: shape (requests,) each."""
    rows = [row for number, request in enumerate(requests) for row in _rows(number, request)]
    rows.sort(key=lambda row: row[0])  # stable: a payment stays behind its history
    times, cards, terminals, amounts, frauds, asked = map(np.array, zip(*rows, strict=True))
    known = {CARD: cards, TERMINAL: terminals, "amount": amounts, "is_fraud": frauds}
    computed = feature_columns({"timestamp": times, **known})
    places = np.flatnonzero(asked >= 0)
    places = places[np.argsort(asked[places])]
    return {name: values[places] for name, values in {**computed, "timestamp": times}.items()}


def _rows(number: int, request: FraudRequest) -> Iterator[tuple[int, int, int, float, bool, int]]:
    """Give time, card, terminal, amount, label and -1 of the history; then the payment itself.

    The history is in the order of the table, and the payment has its request's number for -1. Only
    its own card and terminal matter, so each request has two codes: its own and any other.
    """
    mine, own = request.transaction, 2 * number + 1
    history = [(milliseconds(past.timestamp), past) for past in request.history]
    for time, past in sorted(history, key=lambda pair: (pair[0], pair[1].transaction_id)):
        card = own - (past.customer_id != mine.customer_id)
        terminal = own - (past.terminal_id != mine.terminal_id)
        yield time, card, terminal, past.amount, bool(past.is_fraud), -1
    yield milliseconds(mine.timestamp), own, own, mine.amount, False, number


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


def respond(predictions: Columns, known: FraudAssets) -> list[FraudResponse]:
    """Give one response a row."""
    contributions = predictions["contributions"]
    return [
        FraudResponse(
            score=float(score),
            decision="review" if flagged else "approve",
            reasons=[
                Reason(
                    feature=known.features[place],
                    meaning=DESCRIPTIONS[known.features[place]],
                    effect=float(contributions[row, place]),
                )
                for place in places
            ],
        )
        for row, (score, flagged, places) in enumerate(
            zip(predictions["score"], predictions["decision"], top(contributions), strict=True)
        )
    ]


def signals(columns: Columns, predictions: Columns) -> Columns:
    """Watch amount, hour (UTC) and score."""
    hour = columns["timestamp"] // 3_600_000 % 24
    return {"amount": columns["amount"], "hour": hour, "score": predictions["score"]}


API = Api(
    name="fraud",
    request=FraudRequest,
    response=FraudResponse,
    assets=assets,
    features=features,
    encode=encode,
    decode=decode,
    respond=respond,
    signals=signals,
)
