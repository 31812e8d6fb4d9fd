"""How the quality of fraud detection is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, length
from ..contract.monitoring import Monitoring
from ..contract.training import Outcome
from ..features.windows import MILLISECONDS_A_DAY
from .params import FraudParams


def read_answers(params: FraudParams, logged: Columns) -> Outcome:
    """Return rows and predictions of logged payments; the day is that of the answer."""
    rows = {
        "amount": logged["amount"],
        "review_cost": np.full(length(logged), params.decide.review_cost),
        "day": logged["time"] // MILLISECONDS_A_DAY,
        "customer": np.unique(logged["entity"], return_inverse=True)[1],
    }
    decisions = [answer["decision"] == "review" for answer in logged["answer"]]
    return Outcome(rows, {"score": logged["score"], "decision": np.array(decisions, np.bool_)})


def read_labels(labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return whether payments turned out to be frauds."""
    return {"is_fraud": np.array([label["is_fraud"] for label in labels], np.bool_)}


def write_labels(rows: Columns) -> list[dict[str, Any]]:
    """Return whether payments are frauds; the event store has numbers."""
    return [{"is_fraud": float(is_fraud)} for is_fraud in rows["is_fraud"]]


def probabilities(predictions: Columns) -> NDArray[Any]:
    """Return the probabilities of a genuine payment and of a fraud."""
    return np.stack([1 - predictions["score"], predictions["score"]], axis=1)


def make_monitoring(params: FraudParams) -> Monitoring:
    """Return how fraud detection is monitored."""
    return Monitoring(
        metrics=("average_precision", "cost", "calibration"),
        read_answers=partial(read_answers, params),
        read_labels=read_labels,
        write_labels=write_labels,
        target="is_fraud",
        probabilities=probabilities,
    )
