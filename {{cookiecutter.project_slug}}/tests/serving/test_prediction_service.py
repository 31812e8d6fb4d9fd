"""Predictions: in the event loop, in a thread, and by the challenger."""

import asyncio
import math
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Published, answers, ask
from servers import running

from project_package.model_store import CHALLENGER, CHAMPION
from project_package.serving.canary import Canary

ENTITIES = 2_000


def test_awaits_an_async_model(times: Published) -> None:
    times.publish(2, is_async=True)
    with TestClient(times.app()) as client:
        assert answers(client, {"x": 3}, {"x": 4}) == [6, 8]


def test_requests_to_an_async_model_are_limited(times: Published) -> None:
    times.task = replace(times.task, weight=lambda _: 400)
    times.publish(2, is_async=True)
    with TestClient(times.app()) as client:
        assert answers(client, {"x": 3}, {"x": 4}) == [6, 8]
        assert ask(client, *[{"x": 3}] * 3).status_code == 422


@pytest.mark.parametrize(
    ("alias", "seconds", "rows"),
    [(CHAMPION, 0.02, 25), (CHAMPION, 0.002, 250), (CHALLENGER, 0.02, 25)],
)
def test_answers_health_checks_while_a_slow_model_predicts(
    times: Published, alias: str, seconds: float, rows: int
) -> None:
    times.publish(6, alias, seconds=seconds)
    with running(times.app(serve_canary=1)) as url, httpx2.Client(base_url=url) as client:

        async def load() -> float:
            async with httpx2.AsyncClient(base_url=url) as slow:
                body = {"instances": [{"x": 3}] * rows}
                asked = asyncio.create_task(slow.post("/v1/predict", json=body))
                await asyncio.sleep(0.1)
                start = time.perf_counter()
                assert (await slow.get("/healthz")).status_code == 200
                seconds = time.perf_counter() - start
                assert (await asked).status_code == 200
                return seconds

        assert client.get("/healthz").status_code == 200
        assert asyncio.run(load()) < 0.3


def test_a_challenger_that_answers_nothing_makes_no_batch_slow() -> None:
    served: Any = SimpleNamespace(seconds_per_row=0.001, is_async=False)
    slow: Any = SimpleNamespace(seconds_per_row=math.inf, is_async=False)
    champion: Any = SimpleNamespace(current=lambda: served)
    challenger: Any = SimpleNamespace(served=slow)
    assert Canary(champion, challenger, 0).estimate(10) == pytest.approx(0.01)
    assert Canary(champion, challenger, 0.1).estimate(10) == math.inf
    slow.is_async = True  # it answers no request
    assert Canary(champion, challenger, 0.1).estimate(10) == pytest.approx(0.01)


def test_the_challenger_answers_a_share_of_entities(times: Published) -> None:
    times.publish(6, CHALLENGER)
    people = [{"x": 1, "who": f"person {number}"} for number in range(ENTITIES)]
    with TestClient(times.app(serve_canary=0.2)) as client:
        parts = [ask(client, *people[at : at + 500]).json() for at in range(0, ENTITIES, 500)]
        versions = [version for part in parts for version in part["versions"]]
        predictions = [prediction["y"] for part in parts for prediction in part["predictions"]]
        again = [ask(client, person).json()["model_version"] for person in people[:50]]
    deviation = (0.2 * 0.8 / ENTITIES) ** 0.5
    assert versions.count("6") / ENTITIES == pytest.approx(0.2, abs=4 * deviation)
    assert predictions == [int(version) for version in versions]
    assert again == versions[:50]


def test_without_an_entity_the_share_is_drawn_at_random(times: Published) -> None:
    times.task = replace(TIMES, entity="")
    times.publish(6, CHALLENGER)
    with TestClient(times.app(serve_canary=0.5)) as client:
        versions = ask(client, *[{"x": 1}] * 500).json()["versions"]
    assert 150 < versions.count("6") < 350


@pytest.mark.parametrize("failure", ["limit", "breaks_at"])
def test_the_champion_answers_for_a_challenger_that_fails(times: Published, failure: str) -> None:
    times.publish(6, CHALLENGER, **{failure: 5})
    with TestClient(times.app(serve_canary=1)) as client:
        assert ask(client, {"x": 1}).json()["model_version"] == "6"
        body = ask(client, {"x": 9}).json()
        assert (body["model_version"], body["predictions"]) == ("1", [{"y": 9}])
        assert client.get("/readyz").json()["degraded"] == ["challenger"]
        assert ask(client, {"x": 1}).json()["model_version"] == "1"


def test_a_request_that_fails_in_both_does_not_end_the_canary(times: Published) -> None:
    times.publish(2, limit=5)
    times.publish(6, CHALLENGER, limit=5)
    with TestClient(times.app(serve_canary=1)) as client:
        assert ask(client, {"x": 9}).status_code == 500
        assert ask(client, {"x": 1}).json()["model_version"] == "6"
