"""Load the version that an alias of the model store points to, verify it, and swap it in.

A new bundle is loaded beside the one that is served: its hashes and the schemas of request and
response are compared, and its examples are answered, which warms the model up as well. Then one
assignment swaps the two between two batches. A version that fails a check is refused and the old
one stays; so it does while the store cannot be reached.
"""

import asyncio
import inspect
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

from ..bundle import EXAMPLES, Bundle, Manifest
from ..contract import AsyncModel, Columns, HistoryRows, Model, Task
from ..errors import ModelError, Unavailable, UserError
from ..model_store import EVIDENCE, Pointer, Store, StoreUnreachable
from .metrics import Metrics

CARD = "card.md"
TOLERANCE = 1e-5
"""How far a number may be from the recorded one: processors add up in different orders."""
SLOW_SECONDS = 0.005
"""A batch that takes longer is predicted in a thread."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """A version that can answer requests."""

    version: str
    alias: str
    digest: str
    task: Task
    model: Model | AsyncModel
    manifest: Manifest
    card: str
    """The model card, Markdown."""
    examples: Sequence[Mapping[str, Any]] = ()
    """Requests with the responses that training recorded."""
    is_slow: bool = False

    @cached_property
    def is_async(self) -> bool:
        """Whether the model is awaited instead of batched."""
        return inspect.iscoroutinefunction(self.model.predict)

    def predict(self, rows: Columns) -> Columns:
        """Return the predictions of a `Model`."""
        return cast(Model, self.model).predict(rows)

    async def await_prediction(self, rows: Columns) -> Columns:
        """Return the predictions of an `AsyncModel`."""
        return await cast(AsyncModel, self.model).predict(rows)


class ModelLoader:
    """Follows one alias of the model store.

    `served` is the version that answers. `refused` is why the newest version is not served, and
    `unreachable` why nobody knows which version is the newest; both are empty when all is well. Of
    an optional alias nothing is served while it is not set or points to a refused version.
    """

    def __init__(
        self,
        make_task: Callable[[Bundle], Task],
        store: Store,
        alias: str,
        metrics: Metrics,
        running: Task | None = None,
    ) -> None:
        """Load the first version if it can be; an optional alias follows the `running` task."""
        self.make_task, self.store, self.alias, self.metrics = make_task, store, alias, metrics
        self.is_optional, self.running = running is not None, running
        self.served: ServedModel | None = None
        self.refused = self.unreachable = ""
        self._seen: Pointer | None = None
        self.check()

    def current(self) -> ServedModel:
        """Return the version that is served; raise Unavailable when there is none."""
        if self.served is None:
            raise Unavailable(self.refused or self.unreachable)
        return self.served

    def check(self) -> None:
        """Read the pointer; when it has moved, load, verify and serve the version it names."""
        try:
            pointer = self.store.pointer(self.alias)
            if pointer is None or pointer != self._seen:
                self._follow(pointer)
            self._seen, self.unreachable = pointer, ""
        except StoreUnreachable as error:  # the next check tries again
            if not self.unreachable:
                log.warning("the model store is unreachable", extra={"reason": str(error)})
            self.unreachable = str(error)
        except UserError as error:  # the pointer is damaged
            self.refuse(str(error))
        self.metrics.degraded.labels("model_store").set(bool(self.unreachable))

    async def poll(self, seconds: float) -> None:
        """Check every so many seconds, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.check)

    def refuse(self, reason: str) -> None:
        """Note why the newest version is not served, until the pointer moves."""
        if self.is_optional:
            self._swap(None)
        if reason != self.refused:
            log.warning("refused a version", extra={"alias": self.alias, "reason": reason})
            self.metrics.model_refusals.labels(self.alias).inc()
        self.refused = reason

    def _follow(self, pointer: Pointer | None) -> None:
        served = None
        try:
            if pointer is not None or not self.is_optional:
                served = load(self.make_task, self.store, self.alias)
                if self.running is not None:
                    compare_schemas(served, self.running)
                served = replace(served, is_slow=verify(served) > SLOW_SECONDS)
        except StoreUnreachable:
            raise
        except UserError as error:
            self.refuse(str(error))
        except (KeyError, ValueError) as error:  # a file is missing, or has other content
            self.refuse(f"The bundle of the {self.alias} cannot be loaded: {error!r}.")
        else:
            self._swap(served)
            self.refused = ""

    def _swap(self, served: ServedModel | None) -> None:
        """Serve another version: a batch reads `served` once, so no request sees two."""
        old, self.served = self.served, served
        if old is not None:
            self.metrics.model_info.labels(self.alias, old.version).set(0)
        if served is not None:
            self.running = self.running or served.task
            self.metrics.model_info.labels(self.alias, served.version).set(1)
            self.metrics.model_swaps.labels(self.alias).inc()
            log.info("serves", extra={"alias": self.alias, "model_version": served.version})


def load(make_task: Callable[[Bundle], Task], store: Store, alias: str) -> ServedModel:
    """Load the version that an alias points to.

    Raises:
        UserError: there is none, it is damaged, or its model cannot be loaded.
    """
    version, bundle = store.load(alias)
    task = make_task(bundle)
    return ServedModel(
        version=str(version),
        alias=alias,
        digest=bundle.digest,
        task=task,
        model=task.load(bundle),
        manifest=bundle.manifest,
        card=store.fetch(version, EVIDENCE).get(CARD, b"").decode(),
        examples=json.loads(bundle.files.get(EXAMPLES, b"[]")),
    )


def add_features(task: Task, rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Return rows as the model takes them: with the features of their histories, if any."""
    return {**rows, **task.history.features(rows, histories)} if task.history else rows


def compare_schemas(served: ServedModel, running: Task) -> None:
    """Raise UserError when a version has other fields than those that the routes were built for."""
    task = served.task
    for new, old in ((task.request, running.request), (task.response, running.response)):
        if new.model_json_schema() != old.model_json_schema():
            raise UserError(
                f"Version {served.version} has other fields in {old.__name__} than the version "
                "that is served: restart the server."
            )


def verify(served: ServedModel) -> float:
    """Compare the answers to the examples; return the seconds that a batch of them takes.

    An `AsyncModel` is not verified: it asks services, whose answers vary.

    Raises:
        UserError: an answer is another than the recorded one, or there is none.
    """
    if served.is_async or not served.examples:
        return 0
    try:
        _answer(served)
        start = time.perf_counter()
        answers = _answer(served)
        seconds = time.perf_counter() - start
    except ModelError as error:
        raise UserError(f"Version {served.version} cannot answer its examples: {error}") from error
    for number, (answer, example) in enumerate(zip(answers, served.examples, strict=True), 1):
        if not is_close(answer, example["response"]):
            raise UserError(
                f"Version {served.version} gives another answer to its example {number}."
            )
    return seconds


def _answer(served: ServedModel) -> list[Any]:
    """Return the answers of a version to its own examples."""
    task = served.task
    requests = [task.request.model_validate(example["request"]) for example in served.examples]
    carried = [task.history.from_request(r) or {} for r in requests] if task.history else []
    rows = add_features(task, task.to_rows(requests), carried)
    responses = task.to_responses(rows, served.predict(rows))
    return [response.model_dump(mode="json") for response in responses]


def is_close(one: Any, two: Any) -> bool:
    """Return whether two JSON values are equal, numbers up to `TOLERANCE`."""
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(is_close(one[name], two[name]) for name in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(is_close, one, two))
    return bool(one == two)
