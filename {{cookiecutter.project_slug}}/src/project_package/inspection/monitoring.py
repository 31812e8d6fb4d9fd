"""How the quality of inspection is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..contract.monitoring import Monitoring
from ..contract.training import Metric, Outcome


def read_answers(logged: Columns) -> Outcome:
    """Return the predictions of logged images; those of unusable ones are NaN."""
    decisions = [answer["decision"] == "defect" for answer in logged["answer"]]
    predictions = {
        "probability": logged["probability"],
        "decision": np.array(decisions, np.bool_),
    }
    return Outcome({}, predictions)


def read_labels(labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return which parts turned out to be defective."""
    return {"is_defective": np.array([label["defect"] for label in labels], np.bool_)}


def write_labels(rows: Columns) -> list[dict[str, Any]]:
    """Return which parts are defective."""
    return [{"defect": bool(is_defective)} for is_defective in rows["is_defective"]]


def probabilities(predictions: Columns) -> NDArray[Any]:
    """Return the probabilities of a good part and of a defect."""
    return np.stack([1 - predictions["probability"], predictions["probability"]], axis=1)


def make_monitoring(metrics: Sequence[Metric], calibrated: bool) -> Monitoring:
    """Return how inspection is monitored.

    Without defects to learn from, answers are not `calibrated`: they are no probabilities.
    """
    return Monitoring(
        metrics=tuple(metric.name for metric in metrics),
        read_answers=read_answers,
        read_labels=read_labels,
        write_labels=write_labels,
        target="is_defective",
        probabilities=probabilities if calibrated else None,
    )
