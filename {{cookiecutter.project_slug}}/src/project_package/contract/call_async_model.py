"""An AsyncModel outside the server: commands and the MLflow model call it as they call a Model."""

from dataclasses import dataclass

from anyio.from_thread import BlockingPortal

from ..columns import Columns
from ..errors import ModelError
from .task import AsyncModel, Model, is_async


@dataclass(frozen=True)
class AwaitedModel:
    """An AsyncModel as a Model. Threads may share it, also one that runs an event loop itself."""

    model: AsyncModel
    portal: BlockingPortal
    """The event loop that awaits the calls, in a thread of its own."""

    def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row; raise ModelError when a service does not answer."""
        try:
            return self.portal.call(self.model.predict, rows)
        except OSError as error:  # a connection that failed, or a timeout
            raise ModelError(f"The model's service does not answer: {error!r}") from error


def to_model(model: Model | AsyncModel, portal: BlockingPortal) -> Model:
    """Return a model that is called without `await`.

    All models of a command share one portal: what an AsyncModel keeps, a client or a lock, belongs
    to the event loop that used it first.
    """
    return AwaitedModel(model, portal) if is_async(model) else model
