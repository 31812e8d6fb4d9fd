"""Predictions with stored histories, and the routes for events and labels."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from multiplying import Published, answers, ask
from servers import running, wait_until

from project_package.api_keys import SCOPES, add_key
from project_package.columns import Columns
from project_package.errors import UserError
from project_package.serving.event_service import EventService
from project_package.state.event_store import StoredEvent

BODIES: dict[str, Any] = {
    "/v1/predict": {"instances": [{"payment": "a", "x": 1}]},
    "/v1/events": {"events": [{"payment": "b", "x": 1}]},
    "/v1/labels": {"labels": [{"payment": "b", "bad": True}]},
}


@pytest.fixture
def client(totals: Published) -> Iterator[TestClient]:
    """Serve the use case with history."""
    with TestClient(totals.app()) as opened:
        yield opened


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
    first = {"payment": "a", "x": 1}
    second = {"payment": "b", "x": 2}
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


def test_an_answer_that_is_repeated_has_the_same_id(client: TestClient) -> None:
    ids = [ask(client, {"payment": "a", "x": 1}).json()["prediction_ids"] for _ in range(2)]
    assert ids[0] == ids[1]


def test_an_event_that_was_stored_before_is_answered(client: TestClient) -> None:
    events = [{"payment": f"{n}", "x": n, "time": f"2024-01-31T12:0{n}:00Z"} for n in (1, 2, 3)]
    client.post("/v1/events", json={"events": events})
    assert answers(client, events[1]) == [3]


def test_instances_of_a_body_are_earlier_events_of_each_other(client: TestClient) -> None:
    times = {"b": "2024-01-31T12:01:00Z", "a": "2024-01-31T12:00:00Z"}
    payments = [{"payment": name, "x": 1, "time": time} for name, time in times.items()]
    assert answers(client, *payments, {"payment": "c", "who": "bob", "x": 5}) == [2, 1, 5]


@pytest.mark.parametrize("second", [{"payment": "a", "x": 7}, {"payment": "new", "x": 9}])
def test_a_refused_body_leaves_nothing(client: TestClient, second: dict[str, Any]) -> None:
    assert answers(client, {"payment": "a", "x": 1}) == [1]
    refused = ask(client, {"payment": "new", "x": 8}, second)
    (error,) = refused.json()["detail"]
    assert refused.status_code == 422
    assert error["loc"] == ["body", "instances", 1]
    assert error["msg"] == "differs from the stored event with its payment"
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

    def find_events(self, rows: Columns) -> list[StoredEvent | None]:
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
        store.answer = 'a-0 5 {"y":9.0}'
        found = ask(client, {"payment": "a", "x": 1}).json()
    assert found == {"model_version": "5", "predictions": [{"y": 9}], "prediction_ids": ["a-0"]}


def test_events_and_labels_are_counted(client: TestClient) -> None:
    events = [{"payment": name, "x": 1} for name in "aba"]
    assert client.post("/v1/events", json={"events": events}).json() == {"new": 2, "known": 1}
    labels = [{"payment": name, "bad": True} for name in "azb"]
    answer = client.post("/v1/labels", json={"labels": labels})
    assert answer.json() == {"set": 2, "unknown": [1]}


def test_outcomes_are_labels_in_the_prediction_log_too(totals: Published) -> None:
    with TestClient(totals.app(log_url="")) as client:
        ask(client, {"payment": "a", "x": 1})
        labels = [{"payment": "a", "bad": True}]
        client.post("/v1/labels", json={"labels": labels})
    with closing(sqlite3.connect(totals.root / "predictions.db")) as database:
        joined = "SELECT label FROM labels JOIN predictions USING (event)"
        assert database.execute(joined).fetchall() == [('{"bad":1.0}',)]


def test_there_are_no_labels_without_a_label_schema(totals: Published) -> None:
    task: Any = totals.task
    totals.task = replace(task, history=replace(task.history, label=None))
    with TestClient(totals.app()) as client:
        assert client.post("/v1/labels", json=BODIES["/v1/labels"]).status_code == 404
        assert client.post("/v1/events", json=BODIES["/v1/events"]).status_code == 200


@pytest.mark.parametrize("scope", SCOPES)
def test_only_keys_with_labels_may_send_events(
    totals: Published, tmp_path: Path, scope: str
) -> None:
    token = add_key(tmp_path / "keys.json", scope, [scope])
    headers = {"Authorization": f"Bearer {token}"}
    with TestClient(totals.app(serve_keys="keys.json")) as client:
        for path in ("/v1/events", "/v1/labels"):
            assert client.post(path, json=BODIES[path]).status_code == 401
            answer = client.post(path, json=BODIES[path], headers=headers)
            assert answer.status_code == (200 if scope == "labels" else 403)


@pytest.mark.parametrize("path", ["/v1/predict", *BODIES])
def test_each_route_is_documented_with_its_refusals(client: TestClient, path: str) -> None:
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    refusals = {"401", "403", "408", "413", "415", "422", "503"}
    if path == "/v1/predict":
        refusals.add("409")
    assert operation["responses"].keys() == {"200", *refusals}
    assert operation["requestBody"]["content"]["application/json"]["schema"]["properties"]


def test_stops_at_the_first_invalid_event_or_label(totals: Published) -> None:
    bad = dict.fromkeys((f"{n}" for n in range(20)), 1)
    with TestClient(totals.app(serve_max_body_mb=8)) as client:
        for name in ("events", "labels"):
            body = json.dumps({name: [bad] * 10_000})
            headers = {"content-type": "application/json"}
            answer = client.post(f"/v1/{name}", content=body, headers=headers)
            assert {error["loc"][2] for error in answer.json()["detail"]} == {0}


def test_model_that_is_awaited_is_refused(totals: Published) -> None:
    totals.publish(2, is_async=True)
    with pytest.raises(UserError, match="Version 2 is awaited and cannot use an event store"):
        totals.app()
