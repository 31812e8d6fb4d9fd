"""A server that is killed under load, and a Redis that goes away: what was answered is not lost."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from onnx import TensorProto, helper
from pydantic import BaseModel
from redis import Redis
from typing_extensions import TypedDict

from project_package.bundle import EXAMPLES, Bundle, Manifest, pack
from project_package.contract import Api, Columns, Files, Memory
from project_package.fields import objects
from project_package.features.history import EVENT
from project_package.serving.app import serve
from project_package.state.base import State
from project_package.model_store import BUNDLE, CHAMPION, EVIDENCE, Pointer, Store
from project_package.features.windows import (
    MILLISECONDS_A_DAY,
    Window,
    kept,
    lookback,
    stream,
)

START = 20_000 * MILLISECONDS_A_DAY
FEATURES = (
    Window("total", "", "card", "sum", 1, value="amount"),
    Window("bad", "", "card", "sum", 1, value="is_bad"),
)
CARDS, EACH, KILLS = 8, 60, 2


class Payment(BaseModel):
    name: str
    second: int
    card: str
    amount: float


class Label(BaseModel):
    name: str
    is_bad: bool


class Total(TypedDict):
    y: float


def rows(payments: Sequence[Payment]) -> Columns:
    return {
        "timestamp": np.array([START + 1000 * payment.second for payment in payments]),
        "card": np.array([payment.card for payment in payments], object),
        "amount": np.array([payment.amount for payment in payments]),
        "is_bad": np.zeros(len(payments)),
        EVENT: np.array([payment.name for payment in payments], object),
    }


def label_rows(labels: Sequence[Label]) -> Columns:
    return {
        EVENT: np.array([label.name for label in labels], object),
        "is_bad": np.array([float(label.is_bad) for label in labels]),
    }


MEMORY = Memory(
    entities=kept(FEATURES),
    days=lookback(FEATURES),
    subject="card",
    event=Payment,
    rows=rows,
    late=("is_bad",),
    label=Label,
    labels=label_rows,
)
API: Api[Payment, Total, Files] = Api(
    name="totals",
    request=Payment,
    response=Total,
    assets=lambda files: files,
    memory=MEMORY,
    rows=rows,
    carried=lambda _: None,
    lacks=lambda _, __: "",
    features=lambda columns, at: dict(stream(FEATURES, columns, at)),
    encode=lambda columns, _: {"x": columns["total"].astype(np.float32)},
    decode=lambda outputs, _, __: outputs,
    respond=lambda given, _: objects({"y": given["y"]}),
    signals=lambda _, given: given,
)


def publish(store: Store) -> None:
    """Put a graph that gives what it takes, and point to it."""
    x, y = (helper.make_tensor_value_info(end, TensorProto.FLOAT, ["rows"]) for end in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    about = dict.fromkeys(("name", "candidate", "created", "commit", "data", "test"), "t")
    bundle = Bundle(model.SerializeToString(), {EXAMPLES: b"[]"}, Manifest(settings={}, **about))
    store.publish(1, EVIDENCE, {"card.md": b"card"})
    store.publish(1, BUNDLE, pack(bundle))
    store.point(CHAMPION, Pointer(version=1, digest=bundle.digest))


@pytest.fixture(params=["sqlite", "redis"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the address of an empty state."""
    if request.param == "sqlite":
        return str(tmp_path / "state.db")
    url: str = request.getfixturevalue("redis")
    with Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def start(tmp_path: Path, address: str) -> Callable[[], Any]:
    """Give what starts a server in a process of its own; it is killed when it is left."""
    publish(Store(str(tmp_path / "store")))
    settings = {"STATE_URL": address, "MODEL_STORE": str(tmp_path / "store")}
    settings["SERVE_KEYS"] = "off"

    @contextmanager
    def started() -> Iterator[tuple[subprocess.Popen[str], str]]:
        with subprocess.Popen(
            [sys.executable, "-u", __file__],
            cwd=tmp_path,
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            assert server.stdout is not None
            said = re.search(r"served on (\S+);", server.stdout.readline())
            assert said
            try:
                yield server, said[1]
            finally:
                server.kill()

    return started


def payments(card: int) -> list[Payment]:
    """Give the payments of a card, two each second."""
    return [
        Payment(name=f"{card}-{n}", second=n // 2, card=f"{card}", amount=card + n)
        for n in range(EACH)
    ]


def is_bad(payment: Payment) -> bool:
    return payment.amount % 3 == 0


def send(url: str, known: dict[str, float], card: int) -> None:
    """Send what was not answered yet, each with its label, until the server dies; note answers."""
    with httpx.Client(base_url=url, timeout=30) as client, suppress(httpx.TransportError):
        for payment in payments(card):
            if payment.name not in known:
                known[payment.name] = ask(client, payment)


def ask(client: httpx.Client, payment: Payment) -> float:
    """Give the answer to a payment whose label is set before it counts as answered."""
    answer = client.post("/v1/predict", json={"instances": [payment.model_dump()]})
    label = Label(name=payment.name, is_bad=is_bad(payment)).model_dump()
    told = client.post("/v1/labels", json={"labels": [label]})
    assert (answer.status_code, told.json()) == (200, {"set": 1, "unknown": []})
    return float(answer.json()["predictions"][0]["y"])


def remembered(state: State) -> list[Any]:
    """Give all that is known of each card."""
    late = rows([Payment(name="", second=EACH, card=f"{n}", amount=0) for n in range(CARDS)])
    with state.transaction():
        pasts = [state.past(late, card)["card"] for card in range(CARDS)]
    state.close()
    return [{name: values.tolist() for name, values in past.items()} for past in pasts]


def undisturbed(path: Path) -> State:
    """Give the state after the same payments and labels, without a server."""
    state = State(path, MEMORY)
    with state.transaction():
        for card in range(CARDS):
            all_ = payments(card)
            labels = label_rows([Label(name=p.name, is_bad=is_bad(p)) for p in all_])
            for place in range(EACH):
                assert state.add(rows(all_), place)
                assert state.label(labels, place)
    return state


def test_nothing_answered_is_lost_and_nothing_counts_twice_when_the_server_is_killed(
    start: Callable[[], Any], address: str, tmp_path: Path
) -> None:
    known: dict[str, float] = {}
    for kill in range(1, KILLS + 1):
        with start() as (server, url), ThreadPoolExecutor(CARDS) as pool:
            loads = [pool.submit(send, url, known, card) for card in range(CARDS)]
            while len(known) < kill * CARDS * EACH // (KILLS + 2):
                assert not all(load.done() for load in loads)
            server.kill()
            assert not [load.exception() for load in loads if load.exception()]
    assert len(known) < CARDS * EACH
    with start() as (_, url), ThreadPoolExecutor(CARDS) as pool:
        list(pool.map(partial(send, url, known), range(CARDS)))
        with httpx.Client(base_url=url, timeout=30) as client:
            again = {p.name: ask(client, p) for card in range(CARDS) for p in payments(card)}
    totals = [np.cumsum([p.amount for p in payments(card)]).tolist() for card in range(CARDS)]
    assert known == again == {f"{c}-{n}": y for c in range(CARDS) for n, y in enumerate(totals[c])}
    assert remembered(State(address, MEMORY)) == remembered(undisturbed(tmp_path / "other.db"))


if __name__ == "__main__":
    serve(API, "127.0.0.1", 0)
