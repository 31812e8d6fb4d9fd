"""Predictions: in the event loop, in a thread, by the challenger, and with stored histories."""

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Published
from servers import running, wait_until

from project_package.columns import Columns
from project_package.model_store import CHALLENGER, CHAMPION
from project_package.serving.events import EventService
from project_package.state.event_store import StoredEvent

ENTITIES = 2_000


def ask(client: TestClient | httpx2.Client, *instances: dict[str, Any]) -> httpx2.Response:
    answer: httpx2.Response = client.post("/v1/predict", json={"instances": instances})
    return answer


def answers(client: TestClient | httpx2.Client, *instances: dict[str, Any]) -> list[float]:
    """Return the y of instances that must be answered."""
    answer = ask(client, *instances)
    assert answer.status_code == 200, answer.text
    return [prediction["y"] for prediction in answer.json()["predictions"]]


def test_predicts_with_the_history_in_the_event_store(client: TestClient) -> None:
    assert answers(client, {"payment": "a", "x": 1}, {"payment": "b", "x": 2}) == [1, 3]
    assert answers(client, {"payment": "c", "x": 4}, {"payment": "d", "x": 5, "who": "bob"}) == [
        *(7, 5)
    ]
    client.post("/v1/events", json={"events": [{"payment": "e", "x": 10}]})
    assert answers(client, {"payment": "f", "x": 1}) == [18]


def test_a_request_that_carries_its_history_is_not_stored(client: TestClient) -> None:
    complete = {"payment": "a", "x": 1, "earlier": [2, 3]}
    assert answers(client, complete, {"payment": "b", "x": 1}) == [6, 1]
    assert answers(client, complete) == [6]
    assert answers(client, {"payment": "a", "x": 1}) == [2]


def test_a_repeated_event_gets_the_same_answer_and_counts_once(client: TestClient) -> None:
    first, second = {"payment": "a", "x": 1}, {"payment": "b", "x": 2}
    assert answers(client, first, second, first) == [1, 3, 1]
    assert answers(client, second, first) == [3, 1]
    assert answers(client, {"payment": "c", "x": 0}) == [3]


def test_an_answer_keeps_the_version_that_gave_it(totals: Published) -> None:
    with TestClient(totals.app()) as client:
        assert answers(client, {"payment": "a", "x": 1}) == [1]
        totals.publish(2)
        wait_until(lambda: client.get("/readyz").json()["model_version"] == "2")
        both = ask(client, {"payment": "a", "x": 1}, {"payment": "b", "x": 2}).json()
    assert [one["y"] for one in both["predictions"]] == [1, 6]
    assert both["versions"] == ["1", "2"]


def test_an_event_that_was_stored_before_is_answered(client: TestClient) -> None:
    client.post("/v1/events", json={"events": [{"payment": n, "x": 1} for n in "abc"]})
    assert answers(client, {"payment": "b", "x": 1}) == [2]


@pytest.mark.parametrize("second", [{"payment": "a", "x": 7}, {"payment": "new", "x": 9}])
def test_a_refused_body_leaves_nothing(client: TestClient, second: dict[str, Any]) -> None:
    assert answers(client, {"payment": "a", "x": 1}) == [1]
    refused = ask(client, {"payment": "new", "x": 8}, second)
    (error,) = refused.json()["detail"]
    assert refused.status_code == 422
    assert error["loc"] == ["body", "instances", 1]
    assert "differs from the event" in error["msg"]
    assert answers(client, {"payment": "c", "x": 0}) == [1]


def test_a_label_may_differ_when_an_event_is_repeated(client: TestClient) -> None:
    assert answers(client, {"payment": "a", "x": 1}) == [1]
    labels = {"labels": [{"payment": "a", "bad": True}, {"payment": "z", "bad": True}]}
    assert client.post("/v1/labels", json=labels).json() == {"set": 1, "unknown": [1]}
    assert answers(client, {"payment": "a", "x": 1}) == [1]
    events = {"events": [{"payment": "a", "x": 1, "bad": False}, {"payment": "b", "x": 1}]}
    assert client.post("/v1/events", json=events).json() == {"new": 1, "known": 1}


def test_bodies_that_arrive_together_are_refused_one_by_one(totals: Published) -> None:
    async def load(url: str) -> list[int]:
        async with httpx2.AsyncClient(base_url=url) as client:
            bodies = [{"payment": f"{n}", "x": n if n % 3 else -1} for n in range(30)]
            sent = (client.post("/v1/predict", json={"instances": [one]}) for one in bodies)
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    task: Any = totals.task
    questions = replace(
        task.history,
        request_is_event=False,
        error=lambda request, _: "must not be negative" if request.x < 0 else "",
    )
    totals.task = replace(task, history=questions)
    with running(totals.app()) as url:
        assert asyncio.run(load(url)) == [200 if n % 3 else 422 for n in range(30)]
        with httpx2.Client(base_url=url) as client:
            assert answers(client, {"payment": "all", "x": 0}) == [0]  # questions are not stored


def test_a_refused_event_does_not_refuse_others_with_its_key(totals: Published) -> None:
    async def send(url: str) -> list[int]:
        async with httpx2.AsyncClient(base_url=url) as client:
            bodies = [  # of each pair, the first contradicts itself
                {"instances": [{"payment": f"{n}", "x": value} for value in values]}
                for n in range(20)
                for values in ((1, 2), (3,))
            ]
            sent = (client.post("/v1/predict", json=body) for body in bodies)
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    with running(totals.app()) as url:
        assert asyncio.run(send(url)) == [422, 200] * 20


@dataclass
class BusyStore:
    """An event store in which another process is answering every event, until it has `answer`."""

    answer: str = ""

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def find(self, rows: Columns) -> list[StoredEvent | None]:
        row = {"payment": "a", "x": 1.0, "who": "ann", "timestamp": rows["timestamp"][0]}
        return [StoredEvent(row, self.answer)]

    def add(self, rows: Columns, claim: bool = False) -> list[bool]:
        return [not claim for _ in rows["x"]]

    def delete_expired(self) -> int:
        return 0

    def close(self) -> None:
        pass


def test_an_event_that_another_process_answers_is_a_conflict(totals: Published) -> None:
    store: Any = BusyStore()
    task: Any = totals.task
    totals.open_events = lambda predictions, settings, _: EventService(
        task.history, store, predictions, settings
    )
    with TestClient(totals.app()) as client:
        conflict = ask(client, {"payment": "a", "x": 1})
        assert (conflict.status_code, conflict.headers["retry-after"]) == (409, "1")
        store.answer = '5 {"y":9.0}'
        found = ask(client, {"payment": "a", "x": 1}).json()
    assert found == {"model_version": "5", "predictions": [{"y": 9}]}


def test_awaits_an_async_model(times: Published) -> None:
    times.publish(2, is_async=True)
    with TestClient(times.app()) as client:
        assert answers(client, {"x": 3}, {"x": 4}) == [6, 8]


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
        assert ask(client, {"x": 9}).json() == {"model_version": "1", "predictions": [{"y": 9}]}
        assert client.get("/readyz").json()["degraded"] == ["challenger"]
        assert ask(client, {"x": 1}).json()["model_version"] == "1"


def test_a_request_that_fails_in_both_does_not_end_the_canary(times: Published) -> None:
    times.publish(2, limit=5)
    times.publish(6, CHALLENGER, limit=5)
    with TestClient(times.app(serve_canary=1)) as client:
        assert ask(client, {"x": 9}).status_code == 500
        assert ask(client, {"x": 1}).json()["model_version"] == "6"
