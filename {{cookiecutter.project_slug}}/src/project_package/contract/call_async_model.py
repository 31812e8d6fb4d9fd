"""An AsyncModel outside the server: commands and the MLflow model call it as they call a Model."""

import asyncio
import inspect
from collections.abc import Coroutine
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any, cast

from ..columns import Columns
from .task import AsyncModel, Model


class EventLoop:
    """One event loop for all awaited calls, in a thread of its own, which the first call starts.

    What a model keeps, a client or a lock, belongs to the loop that used it first. The thread also
    serves callers whose own thread runs a loop already, as that of a notebook does.
    """

    def __init__(self) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)  # makes no loop yet
        self._lock = Lock()
        self._thread: Thread | None = None

    def run(self, coroutine: Coroutine[Any, Any, Columns]) -> Columns:
        """Await a coroutine and return its result; several threads may call it at once."""
        with self._lock:
            loop = self._runner.get_loop()
            if self._thread is None:
                self._thread = Thread(target=loop.run_forever, name="event loop", daemon=True)
                self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    def close(self) -> None:
        """Cancel what still runs, and end the thread, if it was started."""
        if self._thread is not None:
            loop = self._runner.get_loop()
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            self._thread = None
        self._runner.close()


@dataclass(frozen=True)
class AwaitedModel:
    """An AsyncModel as a Model."""

    model: AsyncModel
    loop: EventLoop

    def predict(self, rows: Columns) -> Columns:
        """Return predictions, one row per row."""
        return self.loop.run(self.model.predict(rows))


def to_model(model: Model | AsyncModel, loop: EventLoop) -> Model:
    """Return a model that is called without `await`; a loop awaits an AsyncModel."""
    if inspect.iscoroutinefunction(model.predict):
        return AwaitedModel(cast("AsyncModel", model), loop)
    return cast("Model", model)
