"""An AsyncModel outside the server: commands and the MLflow model call it as they call a Model."""

import inspect
from dataclasses import dataclass
from typing import cast

from anyio.from_thread import BlockingPortal

from ..columns import Columns
from .task import AsyncModel, Model


@dataclass(frozen=True)
class AwaitedModel:
    """An AsyncModel as a Model; several threads may call it at once, and one that runs a loop."""

    model: AsyncModel
    portal: BlockingPortal
    """The event loop that awaits the calls, in a thread of its own."""

    def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row."""
        return self.portal.call(self.model.predict, rows)


def to_model(model: Model | AsyncModel, portal: BlockingPortal) -> Model:
    """Return a model that is called without `await`.

    All models of a command share one portal: what an AsyncModel keeps, a client or a lock, belongs
    to the event loop that used it first.
    """
    if inspect.iscoroutinefunction(model.predict):
        return AwaitedModel(cast("AsyncModel", model), portal)
    return cast("Model", model)
