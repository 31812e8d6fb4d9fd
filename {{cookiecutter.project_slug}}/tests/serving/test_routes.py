"""The routes: what they answer, and what each key may use."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from multiplying import Published

from project_package.api_keys import SCOPES, add_key

BODIES: dict[str, Any] = {
    "/v1/predict": {"instances": [{"payment": "a", "x": 1}]},
    "/v1/events": {"events": [{"payment": "b", "x": 1}]},
    "/v1/labels": {"labels": [{"payment": "b", "bad": True}]},
}


def test_predictions_have_the_version_and_the_order_of_instances(client: TestClient) -> None:
    body: Any = {"instances": [{"payment": f"{x}", "x": x, "earlier": []} for x in (3, 1, 2)]}
    answer = client.post("/v1/predict", json=body)
    assert answer.json() == {"model_version": "1", "predictions": [{"y": 3}, {"y": 1}, {"y": 2}]}
    assert answer.headers["content-type"] == "application/json"


def test_events_and_labels_are_counted(client: TestClient) -> None:
    events = [{"payment": name, "x": 1} for name in "aba"]
    assert client.post("/v1/events", json={"events": events}).json() == {"new": 2, "known": 1}
    labels = [{"payment": name, "bad": True} for name in "azb"]
    answer = client.post("/v1/labels", json={"labels": labels})
    assert answer.json() == {"set": 2, "unknown": [1]}


def test_there_are_no_labels_without_a_label_schema(totals: Published) -> None:
    task: Any = totals.task
    totals.task = replace(task, history=replace(task.history, label=None))
    with TestClient(totals.app()) as client:
        assert client.post("/v1/labels", json=BODIES["/v1/labels"]).status_code == 404
        assert client.post("/v1/events", json=BODIES["/v1/events"]).status_code == 200


def test_the_model_has_its_manifest_and_card(client: TestClient) -> None:
    model = client.get("/v1/model").json()
    assert (model["model_version"], model["card"]) == ("1", "# Card")
    assert model["manifest"]["files"].keys() == {"model.json", "examples.json"}


def test_a_server_with_a_champion_is_ready(client: TestClient) -> None:
    ready = {"status": "ready", "model_version": "1", "degraded": []}
    assert client.get("/readyz").json() == ready
    assert client.get("/healthz").json() == {"status": "alive"}
    assert {client.head(path).status_code for path in ("/healthz", "/readyz")} == {200}


def test_metrics_count_predictions_by_version(client: TestClient) -> None:
    client.post("/v1/predict", json=BODIES["/v1/predict"])
    page = client.get("/metrics").text
    assert 'predictions_total{version="1"} 1.0' in page
    assert 'model_info{alias="champion",version="1"} 1.0' in page


@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_may_use_the_routes_of_its_scope_only(
    totals: Published, tmp_path: Path, scope: str
) -> None:
    token = add_key(tmp_path / "keys.json", scope, [scope])
    needed = {"/v1/predict": "predict", "/v1/events": "labels", "/v1/labels": "labels"}
    needed |= {"/v1/model": "admin", "/metrics": "admin", "/v1/models": "predict"}
    with TestClient(totals.app(serve_keys="keys.json")) as client:
        for path, own in needed.items():
            method = "POST" if path in BODIES else "GET"
            body = BODIES.get(path)
            assert client.request(method, path, json=body).status_code == 401
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.request(method, path, json=body, headers=headers)
            assert answer.status_code == (200 if own == scope else 403)


@pytest.mark.parametrize("path", BODIES)
def test_every_route_is_documented_with_its_refusals(client: TestClient, path: str) -> None:
    operation = client.get("/openapi.json").json()["paths"][path]["post"]
    refusals = {"401", "403", "408", "409", "413", "422", "503"}
    assert operation["responses"].keys() == {"200", *refusals}
    assert operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
