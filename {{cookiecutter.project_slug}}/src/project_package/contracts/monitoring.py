"""How the quality of reviews is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.monitoring import Monitoring
from ..contract.training import Outcome
from .metrics import METRICS


def read_answers(logged: Columns) -> Outcome:
    """Return the predictions of logged clauses."""
    accepted = [answer["decision"] == "accept" for answer in logged["answer"]]
    types = [answer["type"] for answer in logged["answer"]]
    predictions = {
        "type": np.array(types, object),
        "confidence": logged["confidence"],
        "accepted": np.array(accepted, np.bool_),
    }
    return Outcome({}, predictions)


def read_labels(labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the types that people found."""
    return {"type": np.array([label["type"] for label in labels], object)}


def write_labels(rows: Columns) -> list[dict[str, Any]]:
    """Return the types of clauses."""
    return [{"type": kind} for kind in rows["type"]]


MONITORING = Monitoring(
    metrics=tuple(metric.name for metric in METRICS),
    read_answers=read_answers,
    read_labels=read_labels,
    write_labels=write_labels,
)
