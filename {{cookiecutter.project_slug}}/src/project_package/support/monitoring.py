"""How the quality of answers is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.monitoring import Monitoring
from ..contract.training import Outcome
from .dataset import objects
from .metrics import METRICS


def read_answers(logged: Columns) -> Outcome:
    """Return what was found for logged questions, and whether they were refused."""
    found = [[p["document"] for p in answer["passages"]] for answer in logged["answer"]]
    cited = [
        "\n".join(" ".join(map(str, sentence["passages"])) for sentence in answer["sentences"])
        for answer in logged["answer"]
    ]
    predictions = {
        "document": np.array(found, object),
        "cited": np.array(cited, object),
        "confidence": logged["confidence"],
        "refused": np.array([answer["refused"] for answer in logged["answer"]], np.bool_),
        "usd": logged["usd"],
        "tokens": logged["tokens"],
    }
    return Outcome({}, predictions)


def read_labels(labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the documents that answer."""
    return {"answers": objects([tuple(label["documents"]) for label in labels])}


def write_labels(rows: Columns) -> list[dict[str, Any]]:
    """Return the documents that answer test questions."""
    return [{"documents": answers} for answers in rows["answers"]]


MONITORING = Monitoring(
    # An answer that was served is grounded: it was checked before, with the question.
    metrics=tuple(metric.name for metric in METRICS if metric.name != "grounded"),
    read_answers=read_answers,
    read_labels=read_labels,
    write_labels=write_labels,
)
