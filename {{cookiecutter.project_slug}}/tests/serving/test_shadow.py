"""The challenger answers in shadow mode, and no client notices."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Published
from servers import wait_until

from project_package.model_store import CHALLENGER, CHAMPION
from project_package.serving.model_loader import ModelLoader
from project_package.serving.predicted_batch import PredictedBatch, make_batch
from project_package.serving.prometheus import Metrics
from project_package.serving.shadow import MAX_BATCHES, Shadow


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def champion(times: Published, metrics: Metrics) -> ModelLoader:
    return ModelLoader(times.make_task, times.store, CHAMPION, metrics)


def shadow_of(times: Published, metrics: Metrics, **model: Any) -> Shadow:
    times.publish(6, CHALLENGER, **model)
    challenger = ModelLoader(times.make_task, times.store, CHALLENGER, metrics, running=TIMES)
    return Shadow(challenger, metrics, None)


def batch(champion: ModelLoader, *numbers: float) -> PredictedBatch:
    served = champion.current()
    rows = {"x": np.array(numbers, float), "who": np.array(["a"], object)}
    return make_batch(served, rows, served.predict(rows))


def count(metrics: Metrics, what: str) -> float:
    return metrics.registry.get_sample_value("shadow_rows_total", {"what": what}) or 0


def test_compares_the_answers_of_both_versions(
    times: Published, metrics: Metrics, champion: ModelLoader
) -> None:
    shadow = shadow_of(times, metrics)
    shadow.submit(batch(champion, 1, 2))
    shadow.submit(batch(champion, 3, 11))
    wait_until(lambda: count(metrics, "compared") == 4)
    shadow.close()
    assert count(metrics, "changed") == 2  # 6 x is above 10 for 2 and 3, where x is not
    difference = metrics.registry.get_sample_value
    assert difference("shadow_difference_total", {"signal": "x"}) == 0
    assert difference("shadow_difference_total", {"signal": "y"}) == 5 * (1 + 2 + 3 + 11)


def test_counts_the_rows_on_which_the_challenger_fails(
    times: Published, metrics: Metrics, champion: ModelLoader, caplog: pytest.LogCaptureFixture
) -> None:
    shadow = shadow_of(times, metrics, limit=5)
    shadow.submit(batch(champion, 1, 9))
    wait_until(lambda: count(metrics, "failed") == 2)
    shadow.submit(batch(champion, 1))
    wait_until(lambda: count(metrics, "compared") == 1)
    shadow.close()
    assert "ModelError" in [getattr(record, "reason", "") for record in caplog.records]


def test_drops_and_counts_what_does_not_fit_the_queue(
    times: Published, metrics: Metrics, champion: ModelLoader
) -> None:
    shadow = shadow_of(times, metrics, seconds=0.05)
    one = batch(champion, 1, 2)
    for _ in range(MAX_BATCHES + 3):
        shadow.submit(one)
    assert count(metrics, "dropped") == 2 * 3
    shadow.close()


@pytest.fixture
def client(times: Published) -> Iterator[TestClient]:
    times.publish(6, CHALLENGER)
    with TestClient(times.app(log_url="")) as opened:
        yield opened


def test_clients_get_the_answers_of_the_champion(times: Published, client: TestClient) -> None:
    for x in (1, 2):
        answer = client.post("/v1/predict", json={"instances": [{"x": x}]})
        body = answer.json()
        assert (body["model_version"], body["predictions"]) == ("1", [{"y": x}])

    def logged() -> list[Any]:
        query = "SELECT role, version, answer FROM predictions ORDER BY role, answer"
        with sqlite3.connect(times.root / "predictions.db") as file:
            return [(role, v, json.loads(y)["y"]) for role, v, y in file.execute(query)]

    wait_until(lambda: len(logged()) == 4)
    assert logged() == [
        *(("champion", "1", 1), ("champion", "1", 2), ("shadow", "6", 12), ("shadow", "6", 6))
    ]
    with sqlite3.connect(times.root / "predictions.db") as file:  # a label is one of both
        ids = file.execute("SELECT count(DISTINCT prediction) FROM predictions")
        assert ids.fetchone() == (2,)


def test_without_a_challenger_nothing_is_compared(times: Published) -> None:
    with TestClient(times.app(serve_canary=1)) as client:
        answer = client.post("/v1/predict", json={"instances": [{"x": 2}]})
        assert answer.json()["model_version"] == "1"
        assert client.get("/readyz").json()["degraded"] == []
        assert "shadow_rows_total{" not in client.get("/metrics").text
