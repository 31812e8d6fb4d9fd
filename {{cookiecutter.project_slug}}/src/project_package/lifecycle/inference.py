"""Predict with a loaded model outside the server: rows of a table, or requests."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import from_json

from ..contract import AsyncModel, Columns, Model, Task


def run_model(model: Model | AsyncModel, rows: Columns) -> Columns:
    """Return the predictions of a model for rows with features, one row per row."""
    predictions = model.predict(rows)
    if isinstance(predictions, Mapping):
        return predictions
    return asyncio.run(predictions)


def answer(
    task: Task, model: Model | AsyncModel, requests: Sequence[BaseModel]
) -> list[dict[str, Any]]:
    """Answer requests as the server does; return the responses as JSON objects.

    A request that carries no history is answered as one without earlier events.
    """
    rows = task.to_features(requests)
    responses = task.to_responses(rows, run_model(model, rows))
    return [from_json(response.model_dump_json()) for response in responses]
