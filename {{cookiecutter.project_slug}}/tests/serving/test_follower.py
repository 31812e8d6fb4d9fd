"""The server follows the store: what is proven serves, what is not is refused, nobody waits."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from project_package.serving.follower import Follower, same
from project_package.serving.services import Options
from project_package.model_store import CHAMPION, Pointer, Store

SWAPS, CLIENTS = 20, 8


def serves(follower: Follower) -> str:
    assert follower.served is not None
    return follower.served.version


@pytest.fixture
def store(multiplying: Any) -> Store:
    found: Store = multiplying.store
    return found


@pytest.fixture
def follower(multiplying: Any) -> Follower:
    return Follower(multiplying.api, multiplying.store, CHAMPION)


def test_a_champion_that_comes_later_is_served(multiplying: Any, tmp_path: Path) -> None:
    later = replace(multiplying, store=Store(str(tmp_path / "later")))
    follower = Follower(later.api, later.store, CHAMPION)
    assert follower.served is None
    assert "There is no champion" in follower.refused
    later.publish(1)
    follower.check()
    assert (serves(follower), follower.refused) == ("1", "")


def test_the_pointer_is_followed_forth_and_back(
    multiplying: Any, store: Store, follower: Follower
) -> None:
    first = follower.served
    multiplying.publish(2)
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
    ("output", "answer", "reason"),
    [
        ("z", 4, "takes or gives other things than version 1"),
        ("y", 5, "gives another answer to its example 1"),
        ("", 4, "cannot be used for times"),
    ],
)
def test_a_version_that_is_not_proven_is_refused_once(
    multiplying: Any, follower: Follower, output: str, answer: float, reason: str
) -> None:
    graph = multiplying.graph(2, output) if output else b"no graph"
    multiplying.publish(2, CHAMPION, graph, answer)
    follower.check()
    follower.check()
    assert serves(follower) == "1"
    assert reason in follower.refused
    assert follower.refusals == 1


def test_damaged_bytes_are_refused_until_they_are_whole(
    multiplying: Any, follower: Follower, tmp_path: Path
) -> None:
    multiplying.publish(2)
    graph = tmp_path / "store" / "versions" / "2" / "bundle" / "model.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-1])
    follower.check()
    assert serves(follower) == "1"
    assert "model.onnx of this bundle was changed" in follower.refused


def test_a_damaged_pointer_or_card_is_refused_until_it_is_mended(
    multiplying: Any, follower: Follower, tmp_path: Path
) -> None:
    pointer = tmp_path / "store" / "champion.json"
    whole = pointer.read_bytes()
    pointer.write_text("{}")
    follower.check()
    assert (serves(follower), "champion.json" in follower.refused) == ("1", True)
    multiplying.publish(2)
    (tmp_path / "store" / "versions" / "2" / "evidence" / "card.md").write_bytes(b"\xff")
    follower.check()
    assert (serves(follower), "utf-8" in follower.refused) == ("1", True)
    pointer.write_bytes(whole)
    follower.check()
    assert (serves(follower), follower.refused) == ("1", "")


def test_a_store_that_goes_away_changes_nothing_and_is_told(
    multiplying: Any, store: Store, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str) -> bytes:
        raise OSError(f"{path}: gone")

    multiplying.publish(2)
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


async def hammer(url: str, found: list[Any], busy: Callable[[], bool]) -> None:
    """Ask again and again, several at once, while `busy`."""

    async def ask(client: httpx.AsyncClient) -> None:
        while busy():
            found.append(await client.post("/v1/predict", json={"instances": [{"x": 3}] * 4}))

    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await asyncio.gather(*(ask(client) for _ in range(CLIENTS)))


def test_under_load_no_request_fails_and_each_has_one_version(
    multiplying: Any, running: Any
) -> None:
    done, found = threading.Event(), list[Any]()
    with running(multiplying.app(Options())) as url:
        busy = threading.Thread(target=lambda: asyncio.run(hammer(url, found, _until(done))))
        busy.start()
        for version in range(2, SWAPS + 2):
            multiplying.publish(version)
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
