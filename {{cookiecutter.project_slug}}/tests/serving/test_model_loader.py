"""The loader follows the model store: a verified version is served, another one is refused."""

import asyncio
import shutil
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Published
from pydantic import create_model
from servers import running, wait_until

from project_package.bundle import Bundle
from project_package.errors import Unavailable
from project_package.model_store import CHALLENGER, CHAMPION, Pointer
from project_package.serving.model_loader import ModelLoader
from project_package.serving.prometheus import Metrics

SWAPS = 20
CLIENTS = 8


@pytest.fixture
def loader(times: Published) -> ModelLoader:
    return ModelLoader(times.make_task, times.store, CHAMPION, Metrics())


@pytest.fixture
def optional(times: Published) -> ModelLoader:
    return ModelLoader(times.make_task, times.store, CHALLENGER, Metrics(), running=TIMES)


def test_follows_the_pointer_forth_and_back(times: Published, loader: ModelLoader) -> None:
    first = loader.current()
    loader.update()
    assert loader.current() is first
    times.publish(2)
    loader.update()
    assert loader.current().version == "2"
    times.store.set_alias(CHAMPION, Pointer(version=1, digest=first.bundle.digest))
    loader.update()
    assert (loader.current().version, loader.refused) == ("1", "")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"answer": 5.0}, "Version 2 gives another answer to its example 1."),
        ({"answer": 4.001}, "Version 2 gives another answer to its example 1."),
        ({"limit": 1}, "Version 2 cannot answer its examples: x is larger than 1"),
        ({"column": "z"}, "cannot be loaded: KeyError('z')"),
    ],
)
def test_keeps_the_old_version_when_the_new_one_fails(
    times: Published, loader: ModelLoader, model: Any, reason: str
) -> None:
    times.publish(2, **model)
    loader.update()
    assert loader.current().version == "1"
    assert reason in loader.refused
    assert loader.refused.endswith("If the code has changed since this server started, restart it.")
    times.publish(3)
    loader.update()
    assert (loader.current().version, loader.refused) == ("3", "")


def test_refuses_a_version_with_another_schema(times: Published, loader: ModelLoader) -> None:
    times.task = replace(TIMES, request=create_model("Number", x=(float, 1), z=(float, 1)))
    times.publish(2)
    loader.update()
    assert loader.current().version == "1"
    assert "has other fields or limits in its Number than the version that is" in loader.refused


def test_refuses_a_version_of_other_code_at_the_start(times: Published) -> None:
    times.task = replace(TIMES, request=create_model("Number", x=(float, 1), z=(float, ...)))
    refused = ModelLoader(times.make_task, times.store, CHAMPION, Metrics()).refused
    assert refused.startswith("Version 1 was trained with other request fields than the code has")
    assert "(z: Field required): run `ml pipeline` to train a version that fits" in refused


def test_refuses_damaged_files(times: Published, loader: ModelLoader) -> None:
    versions = times.root / "store" / "versions"
    times.publish(2)
    (versions / "2" / "bundle" / "model.json").write_text("{}")
    loader.update()
    assert "model.json of this bundle was changed" in loader.refused
    times.publish(3)
    (versions / "3" / "evidence" / "card.md").write_text("another card")
    loader.update()
    assert "names other files than those of version 3" in loader.refused
    (times.root / "store" / "champion.json").write_text("{}")
    loader.update()
    assert "champion.json" in loader.refused
    assert loader.current().version == "1"


def test_keeps_serving_while_the_store_is_unreachable(
    times: Published, loader: ModelLoader
) -> None:
    store = Path(times.store.address)
    gone = store.rename(store.with_name("gone"))
    store.write_text("in the way", encoding="utf-8")
    loader.update()
    assert loader.current().version == "1"
    assert "cannot be used" in loader.unreachable
    with pytest.raises(Unavailable, match="cannot be used"):  # a start that may succeed later
        ModelLoader(times.make_task, times.store, CHAMPION, Metrics()).current()
    store.unlink()
    gone.rename(store)
    times.publish(2)
    loader.update()
    assert (loader.current().version, loader.unreachable) == ("2", "")


@pytest.mark.parametrize("lost", ["champion.json", "versions", "."])
def test_keeps_serving_when_the_store_is_lost(
    times: Published, loader: ModelLoader, lost: str
) -> None:
    shutil.move(Path(times.store.address) / lost, times.root / "lost")
    loader.update()
    assert loader.current().version == "1"
    times.publish(2)
    loader.update()
    assert (loader.current().version, loader.refused) == ("2", "")


def test_loads_a_version_later_that_could_not_be_read(
    times: Published, loader: ModelLoader
) -> None:
    def fail(_: Bundle) -> Any:
        raise OSError("no space left")

    times.task = replace(TIMES, load=fail)
    times.publish(2)
    loader.update()
    assert (loader.current().version, loader.unreachable) == ("1", "no space left")
    times.task = TIMES
    loader.update()
    assert (loader.current().version, loader.unreachable) == ("2", "")


def test_a_version_that_does_not_load_in_time_is_reported(times: Published) -> None:
    ends = threading.Event()

    def load(bundle: Bundle) -> Any:
        ends.wait()
        return TIMES.load(bundle)

    with TestClient(times.app()) as client:
        times.task = replace(TIMES, load=load)
        times.publish(2)
        try:
            wait_until(lambda: client.get("/readyz").json()["degraded"] == ["model_store"])
        finally:
            ends.set()
        ready = {"status": "ready", "model_version": "2", "degraded": []}
        wait_until(lambda: client.get("/readyz").json() == ready)


def test_optional_alias_serves_its_version_or_nothing(
    times: Published, optional: ModelLoader
) -> None:
    assert (optional.served, optional.refused) == (None, "")
    times.publish(6, CHALLENGER)
    optional.update()
    assert optional.current().version == "6"
    times.publish(7, CHALLENGER, answer=1)
    optional.update()
    assert optional.served is None
    assert "Version 7" in optional.refused
    times.store.delete_alias(CHALLENGER)
    optional.update()
    assert (optional.served, optional.refused) == (None, "")


def test_measures_how_long_a_row_takes(times: Published, loader: ModelLoader) -> None:
    assert loader.current().seconds_per_row < 0.02
    times.publish(2, seconds=0.02)
    loader.update()
    assert loader.current().seconds_per_row >= 0.02


def test_no_request_fails_during_swaps_and_each_has_one_version(times: Published) -> None:
    done = threading.Event()
    answers = list[httpx2.Response]()

    async def load(url: str) -> None:
        async def ask(client: httpx2.AsyncClient) -> None:
            while not done.is_set():
                body = {"instances": [{"x": 3}] * 4}
                answers.append(await client.post("/v1/predict", json=body))

        async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
            await asyncio.gather(*(ask(client) for _ in range(CLIENTS)))

    with running(times.app()) as url:
        thread = threading.Thread(target=lambda: asyncio.run(load(url)))
        thread.start()
        for version in range(2, SWAPS + 2):
            times.publish(version)
            wait_until(partial(serves, url, f"{version}"))
        done.set()
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    found = [answer.json() for answer in answers]
    assert len({answer["model_version"] for answer in found}) > SWAPS / 2
    for answer in found:
        assert answer["predictions"] == [{"y": 3.0 * int(answer["model_version"])}] * 4


def serves(url: str, version: str) -> bool:
    return bool(httpx2.get(f"{url}/readyz").json()["model_version"] == version)
