"""The server follows the store: what is proven serves, what is not is refused, nobody waits."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
import uvicorn
from onnx import TensorProto, helper, numpy_helper
from pydantic import BaseModel
from typing_extensions import TypedDict

from project_package.bundle import EXAMPLES, Bundle, Manifest, pack
from project_package.contract import Api, Columns, Files, Memory
from project_package.serving.app import create_app
from project_package.serving.follower import Follower, same
from project_package.serving.services import Options
from project_package.state import State
from project_package.store import BUNDLE, CHAMPION, EVIDENCE, Pointer, Store

SWAPS, CLIENTS = 20, 8


class Number(BaseModel):
    x: float


class Product(TypedDict):
    y: float


def times(factor: float, name: str = "y") -> bytes:
    """Give the graph of a multiplication: its answer tells which version gave it."""
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


def rows(asked: Sequence[Number]) -> Columns:
    """Give a row a number, all at one time."""
    x = np.array([request.x for request in asked])
    who = np.array([f"{value}" for value in x], object)
    return {"timestamp": np.zeros(len(x), np.int64), "who": who, "x": x}


API: Api[Number, Product, Files] = Api(
    name="times",
    request=Number,
    response=Product,
    assets=lambda files: files,
    memory=Memory(entities={}, days={}, subject="who", event=Number, rows=rows),
    rows=rows,
    carried=lambda _: {},
    lacks=lambda _, __: "",
    features=lambda columns: columns,
    encode=lambda columns, _: {"x": columns["x"].astype(np.float32)},
    decode=lambda outputs, _, __: outputs,
    respond=lambda given, _: [{"y": y} for y in given["y"].tolist()],
    signals=lambda _, given: given,
)


def publish(store: Store, version: int, graph: bytes = b"", answer: float = 0) -> None:
    """Put a version that multiplies by its number, unless told otherwise, and point to it."""
    pair = {"request": {"x": 2.0}, "response": {"y": answer or 2.0 * version}}
    manifest = Manifest(
        name="t", candidate="c", settings={}, created="", commit="", data="", test=""
    )
    bundle = Bundle(graph or times(version), {EXAMPLES: json.dumps([pair]).encode()}, manifest)
    store.publish(version, EVIDENCE, {"card.md": b"card"})
    store.publish(version, BUNDLE, pack(bundle))
    store.point(CHAMPION, Pointer(version=version, digest=bundle.digest))


def serves(follower: Follower) -> str:
    assert follower.served is not None
    return follower.served.version


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store"))


@pytest.fixture
def follower(store: Store) -> Follower:
    publish(store, 1)
    return Follower(API, store, CHAMPION)


def test_a_champion_that_comes_later_is_served(store: Store) -> None:
    follower = Follower(API, store, CHAMPION)
    assert follower.served is None
    assert "There is no champion" in follower.refused
    publish(store, 1)
    follower.check()
    assert (serves(follower), follower.refused) == ("1", "")


def test_the_pointer_is_followed_forth_and_back(store: Store, follower: Follower) -> None:
    first = follower.served
    publish(store, 2)
    follower.check()
    assert serves(follower) == "2"
    assert first is not None
    store.point(CHAMPION, Pointer(version=1, digest=first.digest))
    follower.check()
    assert (serves(follower), follower.swaps) == ("1", 3)


def test_nothing_is_loaded_while_the_pointer_stays(follower: Follower) -> None:
    before = follower.served
    follower.check()
    assert follower.served is before


@pytest.mark.parametrize(
    ("graph", "answer", "reason"),
    [
        (times(2, name="z"), 4, "takes or gives other things than version 1"),
        (times(2), 5, "gives another answer to its example 1"),
        (b"no graph", 4, "cannot be used for times"),
    ],
)
def test_a_version_that_is_not_proven_is_refused_once(
    store: Store, follower: Follower, graph: bytes, answer: float, reason: str
) -> None:
    publish(store, 2, graph, answer)
    follower.check()
    follower.check()
    assert serves(follower) == "1"
    assert reason in follower.refused
    assert follower.refusals == 1


def test_damaged_bytes_are_refused_until_they_are_whole(
    store: Store, follower: Follower, tmp_path: Path
) -> None:
    publish(store, 2)
    graph = tmp_path / "store" / "versions" / "2" / "bundle" / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1])
    follower.check()
    assert serves(follower) == "1"
    assert "model.onnx of this bundle was changed" in follower.refused


def test_a_store_that_goes_away_changes_nothing_and_is_told(
    store: Store, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str) -> bytes:
        raise OSError(f"{path}: gone")

    publish(store, 2)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_get", fails)
        follower.check()
        assert serves(follower) == "1"
        assert "gone" in follower.unreachable
    follower.check()
    assert (serves(follower), follower.unreachable) == ("2", "")


@pytest.mark.parametrize(
    ("one", "two", "equal"),
    [
        ({"y": 1.0, "z": ["a"]}, {"y": 1.0 + 1e-7, "z": ["a"]}, True),
        ({"y": 1.0}, {"y": 1.1}, False),
        ({"y": 1.0}, {"z": 1.0}, False),
        ([1.0], [1.0, 1.0], False),
        ({"y": "review"}, {"y": "approve"}, False),
        ({"y": 1.0}, {"y": None}, False),
    ],
)
def test_answers_are_compared_with_a_little_room(one: Any, two: Any, equal: bool) -> None:
    assert same(one, two) == equal


@contextmanager
def running(store: Store) -> Iterator[str]:
    """Serve on a free loopback port, in a thread."""
    state = State(Path(store.address) / "state.db", API.memory)
    app = create_app(API, store, state, Options(follow_seconds=0.01))
    config = uvicorn.Config(app, port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


async def hammer(url: str, found: list[Any], busy: Callable[[], bool]) -> None:
    """Ask again and again, several at once, while `busy`."""

    async def ask(client: httpx.AsyncClient) -> None:
        while busy():
            found.append(await client.post("/v1/predict", json={"instances": [{"x": 3}] * 4}))

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await asyncio.gather(*(ask(client) for _ in range(CLIENTS)))


def test_under_load_no_request_fails_and_each_has_one_version(store: Store) -> None:
    publish(store, 1)
    done, found = threading.Event(), list[Any]()
    with running(store) as url:
        busy = threading.Thread(target=lambda: asyncio.run(hammer(url, found, _until(done))))
        busy.start()
        for version in range(2, SWAPS + 2):
            publish(store, version)
            wait_for(url, version)
        done.set()
        busy.join()
    assert all(answer.status_code == 200 for answer in found)
    versions = {answer.json()["model_version"] for answer in found}
    assert len(versions) > SWAPS / 2
    for answer in found:
        told = answer.json()
        assert told["predictions"] == [{"y": 3.0 * int(told["model_version"])}] * 4


def _until(done: threading.Event) -> Callable[[], bool]:
    return lambda: not done.is_set()


def wait_for(url: str, version: int) -> None:
    """Return when the server says that it serves that version."""
    for _ in range(1000):
        if httpx.get(f"{url}/readyz").json()["model_version"] == str(version):
            return
        threading.Event().wait(0.01)
    pytest.fail(f"version {version} is not served after ten seconds")
