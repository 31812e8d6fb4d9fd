"""A use case that multiplies by the version, so that an answer shows which version gave it.

Its model is a JSON file in the bundle. `Published` puts versions into a model store and builds
applications on it.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from project_package.bundle import EXAMPLES, Bundle, Manifest, digest, pack
from project_package.columns import Columns, to_rows
from project_package.contract.task import Task
from project_package.errors import ModelError
from project_package.fields import Identifier
from project_package.frozen import Frozen
from project_package.model_store import BUNDLE, CHAMPION, EVIDENCE, Pointer, Store
from project_package.serving.app import create_app
from project_package.serving.services import OpenEvents
from project_package.settings import Settings

MODEL = "model.json"
MANIFEST = Manifest(name="t", candidate="", settings={}, created="", commit="", data="d", test="t")


class Number(Frozen):
    x: float
    who: Identifier = "ann"


class Product(Frozen):
    y: float


@dataclass(frozen=True)
class Times:
    factor: float
    column: str = "x"
    seconds: float = 0
    """How long the prediction of a row takes."""
    limit: float = 1e9
    """A larger x cannot be predicted."""
    breaks_at: float = 1e9
    """The code fails with a larger x."""
    hangs_at: float = 1e9
    """The prediction of a larger x never ends."""

    def predict(self, rows: Columns) -> Columns:
        if max(rows["x"]) > self.limit:
            raise ModelError(f"x is larger than {self.limit:g}")
        if max(rows["x"]) > self.breaks_at:
            raise KeyError("x")
        while max(rows["x"]) > self.hangs_at:
            time.sleep(1)
        time.sleep(self.seconds * len(rows["x"]))
        y = rows[self.column] * self.factor
        return {"y": y, "large": y > 10}


@dataclass(frozen=True)
class AsyncTimes:
    factor: float

    async def predict(self, rows: Columns) -> Columns:
        return Times(self.factor).predict(rows)


def load(bundle: Bundle) -> Any:
    known = json.loads(bundle.files[MODEL])
    is_async = known.pop("is_async", False)
    return AsyncTimes(known["factor"]) if is_async else Times(**known)


def products(_: Columns, predictions: Columns) -> Sequence[Product]:
    return [Product(y=y) for y in predictions["y"].tolist()]


TIMES = Task(
    name="times",
    request=Number,
    response=Product,
    load=load,
    to_rows=to_rows,
    to_responses=products,
    monitored=lambda rows, predictions: {"x": rows["x"], "y": predictions["y"]},
    entity="who",
)


@dataclass
class Published:
    """A folder with a model store, and the applications of a task on it."""

    root: Path
    task: Task
    open_events: OpenEvents | None = None
    """Of a task with history."""
    settings_type: type[Settings] = Settings

    @property
    def store(self) -> Store:
        return Store(str(self.root / "store"))

    def make_task(self, _: Bundle) -> Task:
        return self.task

    def publish(self, version: int, alias: str = CHAMPION, answer: float = 0, **model: Any) -> None:
        """Publish a version that multiplies by its number, and point an alias to it."""
        column = "total" if self.open_events else "x"
        known = {"factor": version, "column": column, **model}
        request: dict[str, Any] = {"x": 2.0}
        if self.open_events:
            request |= {"payment": "example", "earlier": []}
        examples = [{"request": request, "response": {"y": answer or 2.0 * known["factor"]}}]
        files = {MODEL: json.dumps(known).encode(), EXAMPLES: json.dumps(examples).encode()}
        bundle = Bundle(files, MANIFEST)
        evidence = {"card.md": b"# Card"}
        self.store.publish(version, EVIDENCE, evidence)
        self.store.publish(version, BUNDLE, pack(bundle))
        pointer = Pointer(version=version, digest=bundle.digest, evidence=digest(evidence))
        self.store.set_alias(alias, pointer)

    def app(self, **settings: Any) -> FastAPI:
        """Build the application; keys and prediction log are off unless set."""
        defaults = {"serve_keys": "off", "log_url": "off", "serve_poll_seconds": 0.01}
        own = self.settings_type(**{**defaults, **settings})
        return create_app(self.make_task, own, self.root, self.open_events)


def ask(client: httpx2.Client, *instances: dict[str, Any]) -> httpx2.Response:
    answer: httpx2.Response = client.post("/v1/predict", json={"instances": instances})
    return answer


def answers(client: httpx2.Client, *instances: dict[str, Any]) -> list[float]:
    """Return the y of instances that must be answered."""
    answer = ask(client, *instances)
    assert answer.status_code == 200, answer.text
    return [prediction["y"] for prediction in answer.json()["predictions"]]
