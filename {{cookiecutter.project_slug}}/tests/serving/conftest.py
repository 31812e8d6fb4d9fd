"""A use case that multiplies: its answers tell which version gave them."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import onnx
import pytest
import uvicorn
from fastapi import FastAPI
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel
from typing_extensions import TypedDict

from project_package.bundle import EXAMPLES, Bundle, Manifest, pack
from project_package.contract import Api, Columns, Files, Memory
from project_package.fields import objects
from project_package.features.history import EVENT
from project_package.serving.app import create_app
from project_package.serving.services import Options
from project_package.state.base import State
from project_package.model_store import BUNDLE, CHAMPION, EVIDENCE, Pointer, Store


class Number(BaseModel):
    x: float
    who: str = "ann"
    name: str = ""
    alone: bool = True
    """Whether the server need not remember it."""


class Product(TypedDict):
    y: float


def _rows(asked: Sequence[Number]) -> Columns:
    """Give a row a number, all at one time."""
    return {
        "timestamp": np.zeros(len(asked), np.int64),
        "who": np.array([request.who for request in asked], object),
        "x": np.array([request.x for request in asked]),
        EVENT: np.array([request.name for request in asked], object),
    }


API: Api[Number, Product, Files] = Api(
    name="times",
    request=Number,
    response=Product,
    assets=lambda files: files,
    memory=Memory(entities={}, days={}, subject="who", event=Number, rows=_rows),
    rows=_rows,
    carried=lambda asked: {} if asked.alone else None,
    lacks=lambda _, __: "",
    features=lambda columns, at: {name: values[at] for name, values in columns.items()},
    encode=lambda columns, _: {"x": columns["x"].astype(np.float32)},
    decode=lambda outputs, _, __: {**outputs, "large": outputs["y"] > 10},
    respond=lambda given, _: objects({"y": given["y"]}),
    signals=lambda columns, given: {"x": columns["x"], "y": given["y"]},
)


def _times(factor: float, name: str = "y") -> bytes:
    floats = TensorProto.FLOAT
    made = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], [name])],
        "times",
        [helper.make_tensor_value_info("x", floats, ["rows"])],
        [helper.make_tensor_value_info(name, floats, ["rows"])],
        [numpy_helper.from_array(np.array(factor, np.float32), "factor")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@dataclass(frozen=True)
class Multiplying:
    """A store with version 1 as its champion, and the use case."""

    store: Store
    state: Path
    api: Api[Number, Product, Files] = API

    graph: Callable[..., bytes] = _times
    """Gives the graph of a multiplication by a factor; its output may have another name than y."""

    def publish(
        self, version: int, alias: str = CHAMPION, graph: bytes = b"", answer: float = 0
    ) -> None:
        """Put a version that multiplies by its number, unless told otherwise, and point to it."""
        pair = {"request": {"x": 2.0}, "response": {"y": answer or 2.0 * version}}
        about = {"created": "", "commit": "", "data": "", "test": ""}
        manifest = Manifest(name="t", candidate="c", settings={}, **about)
        assets = {EXAMPLES: json.dumps([pair]).encode()}
        bundle = Bundle(graph or _times(version), assets, manifest)
        self.store.publish(version, EVIDENCE, {"card.md": b"card"})
        self.store.publish(version, BUNDLE, pack(bundle))
        self.store.point(alias, Pointer(version=version, digest=bundle.digest))

    def app(self, options: Options) -> FastAPI:
        """Build the application on its store, which looks for other versions often."""
        state = State(self.state, self.api.memory)
        return create_app(self.api, self.store, state, replace(options, follow_seconds=0.01))


@pytest.fixture
def multiplying(tmp_path: Path) -> Multiplying:
    found = Multiplying(Store(str(tmp_path / "store")), tmp_path / "state.db")
    found.publish(1)
    return found


Until: TypeAlias = Callable[[Callable[[], bool]], None]


@pytest.fixture
def until() -> Until:
    """Wait until something is so; fail when it is not after many looks."""

    def wait(so: Callable[[], bool]) -> None:
        for _ in range(3000):
            if so():
                return
            threading.Event().wait(0.01)
        pytest.fail("it did not come to that")

    return wait


Running: TypeAlias = Callable[[FastAPI], AbstractContextManager[str]]


@pytest.fixture
def running() -> Running:
    """Serve an application on a free loopback port, in a thread; gives its address."""

    @contextmanager
    def run(app: FastAPI) -> Iterator[str]:
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            threading.Event().wait(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()

    return run
