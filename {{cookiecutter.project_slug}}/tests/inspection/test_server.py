"""Images over HTTP: as files or in JSON, and validated in a thread."""

import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Number, Published
from pydantic import field_validator
from servers import running, wait_until

from project_package.inspection.images import MAX_PIXELS, encode, to_base64
from project_package.prediction_log import PredictionLog
from project_package.serving.log_writer import LogWriter
from project_package.serving.prometheus import Metrics

inspection = pytest.mark.parametrize("use_case", ["inspection"], indirect=True, scope="session")
BOMB = encode(np.zeros((MAX_PIXELS // 4000 + 1, 4000), np.uint8))


@inspection
@pytest.mark.parametrize("kind", ["image/png", "image/jpeg"])
def test_file_and_base64_have_one_answer(served: Any, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50), np.uint8)
    (expected,) = served.post("predict", [{"image": to_base64(pixels)}])["predictions"]
    headers = {"content-type": kind}  # the file says which of both it is
    answer = served.client.post("/v1/predict", content=encode(pixels), headers=headers)
    assert answer.json()["predictions"] == [expected]


@inspection
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "a complete PNG or JPEG"), (BOMB, f"pixels in {len(BOMB):,} bytes")],
)
def test_what_is_no_image_is_refused(served: Any, content: bytes, message: str) -> None:
    headers = {"content-type": "image/png"}
    answer = served.client.post("/v1/predict", content=content, headers=headers)
    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"]) == (422, ["body", "instances", 0, "image"])
    assert message in error["msg"]


@inspection
def test_unusable_picture_is_counted(served: Any) -> None:
    (answer,) = served.post("predict", [{"image": to_base64(np.zeros((1, 1), np.uint8))}])[
        "predictions"
    ]
    assert answer == {
        "probability": None,
        "decision": "unusable",
        "unusable": "side",
        "regions": None,
    }
    assert 'unseen_values_total{column="side"}' in served.client.get("/metrics").text


@inspection
def test_explained_image_counts_for_its_predictions(served: Any) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (40, 50), np.uint8)
    instances = [{"image": to_base64(pixels), "explain": True}] * 16
    few = served.client.post("/v1/predict", json={"instances": instances[:15]})
    assert len(few.json()["predictions"]) == 15
    answer = served.client.post("/v1/predict", json={"instances": instances})
    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"]) == (422, ["body", "instances"])
    assert error["msg"] == "take the time of 1,040 instances: send at most 1,000"


@inspection
def test_photo_of_a_phone_is_answered(served: Any) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (1800, 2000), np.uint8)
    content = encode(pixels)
    assert 3e6 < len(content) < 4e6
    headers = {"content-type": "image/png"}
    assert served.client.post("/v1/predict", content=content, headers=headers).is_success
    answer = served.client.post("/v1/predict", content=content * 3, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (413, "The body is larger than 8 MB.")


@pytest.fixture
def published(tmp_path: Path) -> Published:
    """Publish a model without images, whose requests can be made slow."""
    found = Published(tmp_path, TIMES)
    found.publish(1)
    return found


@pytest.fixture
def client(published: Published) -> Iterator[TestClient]:
    published.task = replace(TIMES, media_types={"text/plain": lambda file: [{"x": file}]})
    with TestClient(published.app(serve_max_body_mb=0.1)) as opened:
        yield opened


def test_a_body_of_another_type_fills_a_field_of_one_instance(client: TestClient) -> None:
    headers = {"content-type": "Text/Plain; charset=utf-8"}
    answer = client.post("/v1/predict", content=b"3", headers=headers)
    assert answer.json()["predictions"] == [{"y": 3}]
    answer = client.post("/v1/predict", content=b"three", headers=headers)
    assert answer.json()["detail"][0]["loc"] == ["body", "instances", 0, "x"]
    assert client.post("/v1/predict", content=b"3" * 200_000, headers=headers).status_code == 413


def test_other_types_are_refused_and_documented(client: TestClient) -> None:
    answer = client.post("/v1/predict", content=b"3", headers={"content-type": "image/gif"})
    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"]) == (422, ["header", "content-type"])
    assert error["msg"] == "must be application/json or text/plain"
    operation = client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]
    assert [*operation["requestBody"]["content"]] == ["application/json", "text/plain"]


@pytest.mark.parametrize("route", ["v1/predict", "invocations"])
def test_health_is_answered_while_a_slow_body_is_validated(
    published: Published, route: str
) -> None:
    begun = threading.Event()
    health = threading.Event()
    health.set()  # the examples of the bundle do not wait

    class Slow(Number):
        @field_validator("who")
        @classmethod
        def wait(cls, who: str) -> str:
            begun.set()
            if not health.wait(5):
                raise ValueError("health was not answered")
            return who

    published.task = replace(TIMES, request=Slow, slow_requests=True)
    with running(published.app()) as url, ThreadPoolExecutor(1) as clients:
        begun.clear()
        health.clear()
        body = {"instances": [{"x": 1, "who": "bob"}]}
        slow = clients.submit(httpx2.post, f"{url}/{route}", json=body, timeout=20)
        assert begun.wait(5)
        assert httpx2.get(f"{url}/healthz", timeout=20).is_success
        health.set()
        assert slow.result().json()["predictions"] == [{"y": 1}]


@pytest.mark.parametrize("is_slow", [False, True])
def test_only_slow_requests_use_a_thread(published: Published, is_slow: bool) -> None:
    seen = []

    class Watched(Number):
        @field_validator("x")
        @classmethod
        def watch(cls, x: float) -> float:
            seen.append(threading.current_thread().name)
            return x

    published.task = replace(TIMES, request=Watched, slow_requests=is_slow)
    with TestClient(published.app()) as client:
        seen.clear()
        assert client.post("/v1/predict", json={"instances": [{"x": 1}]}).is_success
    assert [name.startswith("model") for name in seen] == [is_slow]


def test_images_are_released_while_the_log_has_no_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'none' / 'predictions.db'}"
    log = LogWriter(PredictionLog(url, b"k" * 32, 90), Metrics())
    log.start()
    image = np.zeros((64, 64), np.uint8)
    held = weakref.ref(image)
    task = SimpleNamespace(id=(), entity="")
    batch: Any = SimpleNamespace(
        served=SimpleNamespace(version="1", task=task),
        rows={"image": image},
        predictions={},
        monitored={},
        ids=["p-0"],
        responses=["{}"],
    )
    log.write(batch, "champion")
    del image, batch
    wait_until(lambda: "unable to open database file" in log.error)
    wait_until(lambda: gc.collect() >= 0 and held() is None)
    log.close()
