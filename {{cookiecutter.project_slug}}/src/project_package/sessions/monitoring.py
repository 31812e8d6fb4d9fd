"""How the quality of recommendations is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..columns import Columns, length
from ..contract.monitoring import Monitoring
from ..contract.training import Outcome
from .features import objects
from .metrics import TOP_K


def read_answers(logged: Columns) -> Outcome:
    """Return the items of logged lists; a list shorter than those of the metrics has the score NaN.

    Requests ask for ten items unless they say otherwise: ask for twenty to measure quality.
    """
    items = np.full((length(logged), TOP_K), None, object)
    scores = np.full(length(logged), np.nan)
    for row, answer in enumerate(logged["answer"]):
        best = answer["items"][:TOP_K]
        items[row, : len(best)] = [recommended["item"] for recommended in best]
        if len(best) == TOP_K:
            scores[row] = best[0]["score"]
    return Outcome({}, {"items": items, "top_score": scores})


def read_labels(labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the items of the next baskets."""
    return {"bought": objects(tuple(label["items"]) for label in labels)}


def write_labels(rows: Columns) -> list[dict[str, Any]]:
    """Return the items of the next baskets."""
    return [{"items": [*bought]} for bought in rows["bought"]]


MONITORING = Monitoring(
    metrics=("recall", "mrr", "ndcg"),
    read_answers=read_answers,
    read_labels=read_labels,
    write_labels=write_labels,
    requested={"count": TOP_K},
)
