"""Labels, which say what became known of instances: POST /v1/labels writes them to the log.

Where an event store takes events or labels that say how a prediction turned out, its routes write
this to the log too: see `History.outcome`.
"""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Self, TypeVar

import numpy as np
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field, model_validator

from ..columns import Columns, instance_keys, take, to_json_rows
from ..contract.task import Task
from ..fields import Identifier
from ..frozen import Frozen
from ..prediction_log import PredictionLog
from .read_body import invalid, read_body
from .routes import protected

MAX_LABELS = 10_000
T = TypeVar("T", bound=BaseModel)


class Labelled(Frozen, Generic[T]):
    """What became known of an instance: name the prediction, or the instance by its own id."""

    prediction_id: Identifier | None = None
    id: Identifier | None = None
    label: T

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        if (self.prediction_id is None) == (self.id is None):
            raise ValueError("must have either prediction_id or id")
        return self


class LabelledBody(Frozen, Generic[T]):
    """Labels of predictions."""

    labels: Annotated[list[Labelled[T]], Field(min_length=1, max_length=MAX_LABELS, fail_fast=True)]


class LabelsStored(BaseModel):
    """How many labels were stored."""

    stored: int


class Labels:
    """Writes labels to a prediction log: they are durable when a method returns.

    Methods raise Unavailable when the log cannot be used.
    """

    def __init__(self, log: PredictionLog) -> None:
        self.log = log

    async def store(self, labels: Sequence[Labelled[Any]]) -> None:
        """Store labels of predictions or instances."""
        rows = [
            (label.prediction_id or "", label.id, label.label.model_dump_json(by_alias=True))
            for label in labels
        ]
        await asyncio.to_thread(self.log.insert_labels, rows)

    async def store_outcomes(
        self, rows: Columns, key: Sequence[str], outcome: Sequence[str]
    ) -> None:
        """Store the outcomes of events, (rows,), whose key identifies instances.

        Events whose outcome is not known yet are left out.
        """
        outcomes = {name: rows[name] for name in outcome}
        is_known = np.all([values == values for values in outcomes.values()], axis=0)  # noqa: PLR0124
        if is_known.any():
            known = take(rows, is_known)
            texts = to_json_rows(take(outcomes, is_known))
            pairs = zip(instance_keys(known, key), texts, strict=True)
            await asyncio.to_thread(self.log.insert_labels, [("", *pair) for pair in pairs])


def add_labels(app: FastAPI, task: Task, labels: Labels) -> None:
    """Add POST /v1/labels, which takes the labels of a task."""
    body_type = LabelledBody[task.label]  # type: ignore[name-defined]

    @app.post("/v1/labels", summary="Store labels", **protected("labels", body_type))
    async def store(request: Request) -> LabelsStored:
        """Store what became known of instances; of several labels of one, the last counts."""
        async with read_body(request, body_type) as body:
            if not task.id and any(label.id for label in body.labels):
                raise invalid("instances have no id here: send prediction_id", "body", "labels")
            await labels.store(body.labels)
        return LabelsStored(stored=len(body.labels))
