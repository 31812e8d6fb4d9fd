"""Labels: what becomes known of instances is written to the prediction log."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from multiplying import Published
from servers import wait_until

from project_package.frozen import Frozen
from project_package.prediction_log import keyed_hash, read_key
from project_package.settings import Settings


class Sold(Frozen):
    sold: int


@pytest.fixture
def served(times: Published) -> Iterator[tuple[Published, TestClient]]:
    """Serve a task of whose instances it becomes known how many were sold."""
    times.task = replace(times.task, label=Sold, id=("x",))
    with TestClient(times.app(log_url="")) as client:
        yield times, client


def select(published: Published, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(published.root / "predictions.db")) as database:
        return database.execute(query).fetchall()


def send(client: TestClient, *labels: Any) -> Any:
    return client.post("/v1/labels", json={"labels": labels})


def test_a_label_joins_on_the_id_of_the_prediction(served: tuple[Published, TestClient]) -> None:
    times, client = served
    body = client.post("/v1/predict", json={"instances": [{"x": 1}, {"x": 2}]}).json()
    first, second = body["prediction_ids"]
    assert first != second
    answer = send(client, {"prediction_id": second, "label": {"sold": 5}})
    assert answer.json() == {"stored": 1}
    joined = "SELECT label, answer FROM labels JOIN predictions USING (prediction)"
    wait_until(lambda: bool(select(times, joined)))
    ((label, predicted),) = select(times, joined)
    assert json.loads(label) == {"sold": 5}
    assert json.loads(predicted) == body["predictions"][1]


def test_a_label_may_name_the_instance(served: tuple[Published, TestClient]) -> None:
    times, client = served
    send(client, {"id": "A-1", "label": {"sold": 5}})
    hashed = keyed_hash("A-1", read_key(Settings(), times.root))
    assert select(times, "SELECT event, prediction FROM labels") == [(hashed, "")]


@pytest.mark.parametrize(
    "label",
    [
        {"label": {"sold": 5}},
        {"prediction_id": "p", "id": "A-1", "label": {"sold": 5}},
        {"prediction_id": "p", "label": {"sold": "many"}},
        {"prediction_id": "p"},
    ],
    ids=["no id", "two ids", "another type", "no label"],
)
def test_refuses_a_label_and_stores_none_of_its_body(
    served: tuple[Published, TestClient], label: dict[str, Any]
) -> None:
    times, client = served
    good = {"prediction_id": "p", "label": {"sold": 5}}
    assert send(client, good, label).status_code == 422
    assert select(times, "SELECT * FROM labels") == []


def test_a_task_without_labels_has_no_route(client: TestClient) -> None:
    assert send(client, {"prediction_id": "p", "label": {"sold": 5}}).status_code == 404


def test_an_id_that_no_instance_has_is_refused(times: Published) -> None:
    times.task = replace(times.task, label=Sold)
    with TestClient(times.app(log_url="")) as client:
        answer = send(client, {"id": "A-1", "label": {"sold": 5}})
    assert answer.status_code == 422
    assert "send prediction_id" in answer.text
