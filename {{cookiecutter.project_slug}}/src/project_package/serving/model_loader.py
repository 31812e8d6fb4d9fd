"""Load the version that an alias of the model store names, verify it, and swap it in.

A new bundle is loaded beside the one that is served. Its hashes are verified, the schemas of
request and response are compared, and its examples must get the recorded answers. Then one
assignment swaps the two, between two batches. A version that fails a check is refused and the old
one stays, as it does while the store cannot be reached.
"""

import asyncio
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..bundle import EXAMPLES, Bundle, Files, example_requests
from ..columns import Columns
from ..contract.task import AsyncModel, Model, Task, is_async
from ..errors import ModelError, Unavailable, UserError
from ..model_store import Pointer, Store
from .prometheus import Metrics

CARD = "card.md"
BATCH = 32
"""Rows of the batch whose time is measured."""
TOLERANCE = 1e-5
"""How far a number may be from the recorded one: processors add up in different orders."""
STALL_SECONDS = 5
RESTART = " If the code has changed since this server started, restart it."
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A version that can answer requests."""

    version: str
    alias: str
    bundle: Bundle
    task: Task
    model: Model | AsyncModel
    evidence: Files
    """Model card, report and summary."""
    since: datetime | None
    """When the alias was moved to it; None if that is not known."""
    examples: Sequence[Mapping[str, Any]]
    """Requests with the responses that training recorded."""
    is_async: bool
    """The model is an AsyncModel."""
    seconds_per_row: float = math.inf
    """Measured with the examples; infinite without any."""

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self.evidence.get(CARD, b"").decode()

    def predict(self, rows: Columns) -> Columns:
        """Return predictions of a model that is not awaited."""
        return self.model.predict(rows)  # type: ignore[return-value]


class ModelLoader:
    """Loads the model of an alias of the model store.

    `served` is the version that answers. `refused` is why the newest version is not served, and
    `unreachable` why the store cannot be read; both are empty when all is well. With `running`, the
    task that the routes were built for, the alias is optional: nothing is served while it is not
    set or names a refused version.
    """

    def __init__(
        self,
        make_task: Callable[[Bundle], Task],
        store: Store,
        alias: str,
        metrics: Metrics,
        running: Task | None = None,
    ) -> None:
        self.make_task = make_task
        self.store = store
        self.alias = alias
        self.metrics = metrics
        self.running = running
        self.optional = running is not None
        self.served: ServedModel | None = None
        self.refused = self.unreachable = ""
        self._seen: Pointer | None = None
        self._lock = threading.RLock()  # `reject` and `update` run in different threads
        self.update()

    def current(self) -> ServedModel:
        """Return the version that is served; when there is none, raise the reason."""
        if self.served is None:
            raise UserError(self.refused) if self.refused else Unavailable(self.unreachable)
        return self.served

    async def poll(self, seconds: float) -> None:
        """Update every `seconds`, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            update = asyncio.create_task(asyncio.to_thread(self.update))
            _, pending = await asyncio.wait([update], timeout=STALL_SECONDS)
            if pending:
                self.unreachable = f"The {self.alias} takes more than {STALL_SECONDS} s to load."
            await update

    def update(self) -> None:
        """Read the pointer; when it has moved, load, verify and serve the version it names."""
        pointer = self._seen
        try:
            pointer = self.store.pointer(self.alias)
            if pointer is None and self.optional:
                self._swap(None)
            elif pointer is None or pointer != self._seen:
                self._swap(self._load(pointer))
        except (Unavailable, OSError) as error:  # the next update tries again
            self.unreachable = str(error)
            return
        except Exception as error:  # noqa: BLE001  a bundle's task and model may raise any
            if isinstance(error, UserError):
                reason = str(error).splitlines()[0]
            else:  # a file is missing, or has other content
                reason = f"The bundle of the {self.alias} cannot be loaded: {error!r}."
            self.reject(reason + (RESTART if self.running else ""))
        self._seen = pointer
        self.unreachable = ""

    def reject(self, reason: str, served: ServedModel | None = None) -> None:
        """Record why the newest version is refused; with `served`, only while it is still that."""
        with self._lock:
            if served is not None and served is not self.served:
                return
            if reason != self.refused and self.running:  # without it, `current` raises the reason
                log.warning("refused a version", extra={"alias": self.alias, "reason": reason})
                self.metrics.model_refusals.labels(self.alias).inc()
            if self.optional:
                self._swap(None)
            self.refused = reason

    def _load(self, pointer: Pointer | None) -> ServedModel:
        """Load and verify the version that the alias names.

        Raises:
            UserError: there is none, it is damaged, or it fails a check.
        """
        version, bundle, evidence = self.store.load(self.alias)
        task = self.make_task(bundle)
        model = task.load(bundle)
        served = ServedModel(
            version=str(version),
            alias=self.alias,
            bundle=bundle,
            task=task,
            model=model,
            evidence=evidence,
            since=pointer.since if pointer else None,
            examples=json.loads(bundle.files.get(EXAMPLES, b"[]")),
            is_async=is_async(model),
        )
        running = self.running or task
        for new, old in ((task.request, running.request), (task.response, running.response)):
            if new.model_json_schema() != old.model_json_schema():
                raise UserError(
                    f"Version {version} has other fields or limits in its {old.__name__} than the "
                    "version that is served: restart the server."
                )
        if self.served is not None and self.served.is_async != served.is_async:
            raise UserError(
                f"Version {version} is asynchronous and the served one is not, or the reverse: "
                "restart the server."
            )
        return replace(served, seconds_per_row=verify(served))

    def _swap(self, served: ServedModel | None) -> None:
        """Serve another version: a batch reads `served` once, so no request sees two."""
        with self._lock:
            old = self.served
            self.served = served
            self.refused = ""
        if old is served:
            return
        if old is not None:
            self.metrics.model_info.labels(self.alias, old.version).set(0)
        if served is not None:
            self.running = self.running or served.task
            self.metrics.model_info.labels(self.alias, served.version).set(1)
            self.metrics.model_swaps.labels(self.alias).inc()
        version = served.version if served else ""
        log.info("swapped the model", extra={"alias": self.alias, "model_version": version})


def verify(served: ServedModel) -> float:
    """Compare the answers to the examples; return the seconds that a row takes.

    An AsyncModel is not verified: it asks services, whose answers differ each time.

    Raises:
        UserError: an answer is not the recorded one, or the code has other request fields than
            the examples.
    """
    task = served.task
    if served.is_async or not served.examples:
        return math.inf
    examples = [*served.examples] * math.ceil(BATCH / len(served.examples))
    requests = example_requests(task.request, examples, served.version)
    try:
        for _ in range(2):  # the first call warms the model up
            start = time.perf_counter()
            rows = task.to_rows(requests)
            responses = task.to_responses(rows, served.predict(rows))
            seconds = time.perf_counter() - start
    except ModelError as error:
        raise UserError(f"Version {served.version} cannot answer its examples: {error}") from error
    for number, (response, example) in enumerate(zip(responses, examples, strict=True), 1):
        if not is_close(response.model_dump(mode="json"), example["response"]):
            raise UserError(
                f"Version {served.version} gives another answer to its example {number}."
            )
    return seconds / len(requests)


def is_close(value: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, numbers up to `TOLERANCE`."""
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(is_close(value[n], other[n]) for n in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(is_close, value, other))
    return bool(value == other)
