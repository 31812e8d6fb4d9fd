"""Predictions of one version for the rows of a batch, and the responses made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from secrets import token_hex
from typing import NamedTuple, TypeAlias

from ..columns import Columns
from .model_loader import ServedModel


class Prediction(NamedTuple):
    """The answer to one instance; the response is JSON."""

    id: str
    version: str
    response: str


@dataclass(frozen=True)
class PredictedBatch:
    """Rows, with their features, that one version predicted in one batch."""

    served: ServedModel
    rows: Columns
    predictions: Columns
    responses: Sequence[str]
    """The responses as JSON, (rows,)."""
    ids: Sequence[str]
    """The ids of the predictions, (rows,): labels that come later name them."""

    @cached_property
    def monitored(self) -> Columns:
        """The values of rows and predictions that are worth watching, (rows,) each."""
        return self.served.task.monitored(self.rows, self.predictions)

    def to_list(self) -> list[Prediction]:
        """Return the predictions one by one."""
        version = self.served.version
        pairs = zip(self.ids, self.responses, strict=True)
        return [Prediction(number, version, response) for number, response in pairs]


Observe: TypeAlias = Callable[[Sequence[PredictedBatch]], None]
"""Count and log batches."""


def make_batch(
    served: ServedModel, rows: Columns, predictions: Columns, ids: Sequence[str] = ()
) -> PredictedBatch:
    """Turn predictions into responses, with new ids unless they are given."""
    responses = served.task.to_responses(rows, predictions)
    texts = [response.model_dump_json() for response in responses]
    prefix = token_hex(8)
    numbered = ids or [f"{prefix}-{number}" for number in range(len(texts))]
    return PredictedBatch(served, rows, predictions, texts, numbered)
