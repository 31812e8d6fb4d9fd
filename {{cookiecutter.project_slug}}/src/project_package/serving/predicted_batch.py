"""Predictions of one version for the rows of a batch, and the responses made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from ..columns import Columns
from .model_loader import ServedModel


class Prediction(NamedTuple):
    """The answer to one instance; the response is JSON."""

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

    @cached_property
    def monitored(self) -> Columns:
        """The values of rows and predictions that are worth watching, (rows,) each."""
        return self.served.task.monitored(self.rows, self.predictions)

    def to_list(self) -> list[Prediction]:
        """Return the predictions one by one."""
        return [Prediction(self.served.version, response) for response in self.responses]


Observe: TypeAlias = Callable[[Sequence[PredictedBatch]], None]
"""Count and log batches."""


def make_batch(served: ServedModel, rows: Columns, predictions: Columns) -> PredictedBatch:
    """Turn predictions into responses."""
    responses = served.task.to_responses(rows, predictions)
    return PredictedBatch(
        served, rows, predictions, [response.model_dump_json() for response in responses]
    )
