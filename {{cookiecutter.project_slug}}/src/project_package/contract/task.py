"""The contract between a use case and the rest of the project.

A use case is two frozen records of plain functions: `Task`, here, is what the server needs;
`Training`, in `training`, is what the lifecycle adds. The type checker verifies both where the use
case builds them.

Rows move as `Columns`, named numpy arrays of equal length. A prediction takes the same path in
evaluation, batch and server:

    requests -> to_rows -> Model.predict -> to_responses -> responses
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel
from pydantic_core import from_json
from typing_extensions import TypeIs

from ..bundle import Bundle
from ..columns import Columns

if TYPE_CHECKING:
    from fastapi import APIRouter, Request

Scope: TypeAlias = Literal["predict", "labels", "admin"]
"""What an API key allows: predictions; sending events and labels; metrics and the model."""


class Model(Protocol):
    """A model loaded from a bundle; several threads may call it at once."""

    def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row; raise ModelError when it cannot answer them."""


@runtime_checkable
class ModelWithSteps(Model, Protocol):
    """A model that shows how it predicts, for `ml debug`."""

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return the steps by name, in their order: inputs and outputs of a graph, a decision."""


def steps_of(model: Model, rows: Columns) -> Mapping[str, Columns]:
    """Return the steps of a prediction; of a model that shows none, only what it predicts."""
    if isinstance(model, ModelWithSteps):
        return model.steps(rows)
    return {"prediction": model.predict(rows)}


class AsyncModel(Protocol):
    """A model that waits for others, such as an LLM: it is awaited instead of batched."""

    async def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row."""


def is_async(model: Model | AsyncModel) -> TypeIs[AsyncModel]:
    """Return whether a model is awaited."""
    return inspect.iscoroutinefunction(model.predict)


@dataclass(frozen=True)
class Served:
    """The version that answers now, for the routes that a task adds."""

    model: Model | AsyncModel
    """The model; a route may await it or stream from it."""
    observe: Callable[[Columns, Columns], Mapping[str, str]]
    """Count and log predictions that a route made; return the responses as JSON, by their ids."""
    read_body: "Callable[[Request, type[BaseModel]], AbstractAsyncContextManager[Any]]"
    """Read and validate a body within the limits of the server."""


MakeRouter: TypeAlias = Callable[[Callable[[], Served]], "APIRouter"]
"""Make the routes of a task; they call the argument in each request for the version to use."""


ReadFile: TypeAlias = Callable[[bytes], "list[dict[str, Any]]"]
"""Return the instances of a file; raise ValueError if it cannot be read."""


@dataclass(frozen=True)
class Task:
    """What the server needs. Built from a bundle, since a table's fields may come from it."""

    name: str
    request: type[BaseModel]
    response: type[BaseModel]
    load: Callable[[Bundle], Model | AsyncModel]
    """Load the model of a bundle, which has passed its hashes."""
    to_rows: Callable[[Sequence[Any]], Columns]
    """Turn requests into rows as the model takes them, with their features. Where a request may
    ask for reasons, they have the column `EXPLAIN`."""
    to_responses: Callable[[Columns, Columns], Sequence[BaseModel]]
    """Turn rows and their predictions into responses."""
    monitored: Callable[[Columns, Columns], Columns]
    """Select the numbers and categories of rows and predictions that are worth watching."""
    outputs: tuple[str, ...] = ()
    """The monitored columns that come from predictions, in which no source can be broken."""
    unseen: Callable[[Columns, Columns], Mapping[str, int]] = lambda *_: {}
    """Count what training never saw, by column, for the metrics (rows, predictions)."""
    logged: Callable[[Columns], Columns] = lambda rows: rows
    """Return rows as they may be logged, such as without personal data: for LOG_ROWS."""
    entity: str = ""
    """The column of rows that says whom an answer is about; empty when there is none."""
    id: tuple[str, ...] = ()
    """The columns of rows that together identify an instance, for labels that come later."""
    label: type[BaseModel] | None = None
    """What becomes known of an instance later, as POST /v1/labels takes it; None for nothing, and
    where events say it: `History.outcome`."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """What the features mean, by column of rows: for `ml debug`."""
    slow_requests: bool = False
    """Requests take milliseconds to validate, as images do: a thread validates and answers them."""
    traces: bool = False
    """The model opens spans: a request that is traced is predicted alone, in its own context."""
    weight: Callable[[Any], int] = lambda _: 1
    """Return how many instances a request counts for in the limit of a body (request)."""
    max_body_mb: float = 2
    """The largest body, unless SERVE_MAX_BODY_MB is set."""
    media_types: Mapping[str, ReadFile] = field(default_factory=dict)
    """Other content types of POST /v1/predict, each with the function that reads such a body."""
    routers: Mapping[Scope, MakeRouter] = field(default_factory=dict)
    """Routes that only this task offers, by the scope of the API key that they need."""

    @property
    def entities(self) -> tuple[str, ...]:
        """The kinds of entity that something is stored about, by the column with their ids."""
        return (self.entity,) if self.entity else ()


def predict_requests(
    task: Task, model: Model, requests: Sequence[BaseModel]
) -> list[dict[str, Any]]:
    """Predict requests as the server does; return the responses as JSON objects.

    A request without history is answered as one without earlier events.
    """
    rows = task.to_rows(requests)
    responses = task.to_responses(rows, model.predict(rows))
    return [from_json(response.model_dump_json()) for response in responses]
