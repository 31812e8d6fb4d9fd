"""The routes: what they answer, and what each key may use."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from multiplying import Published

from project_package.api_keys import SCOPES, add_key

BODIES: dict[str, Any] = {"/v1/predict": {"instances": [{"x": 1}]}}


def test_predictions_have_the_version_and_the_order_of_instances(client: TestClient) -> None:
    body: Any = {"instances": [{"x": x} for x in (3, 1, 2)]}
    answer = client.post("/v1/predict", json=body)
    body = answer.json()
    ids = body.pop("prediction_ids")
    assert body == {"model_version": "1", "predictions": [{"y": 3}, {"y": 1}, {"y": 2}]}
    assert len({*ids}) == 3
    assert answer.headers["content-type"] == "application/json"


def test_a_path_with_a_trailing_slash_is_not_redirected(client: TestClient) -> None:
    for path in ("/v1/predict/", "/docs/", "/healthz/"):
        answer = client.get(path, headers={"host": "other.example"}, follow_redirects=False)
        assert (answer.status_code, "location" in answer.headers) == (404, False)


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
    times: Published, tmp_path: Path, scope: str
) -> None:
    token = add_key(tmp_path / "keys.json", scope, [scope])
    needed = {"/v1/predict": "predict", "/v1/models": "predict"}
    needed |= {"/v1/model": "admin", "/metrics": "admin"}
    with TestClient(times.app(serve_keys="keys.json")) as client:
        for path, own in needed.items():
            method = "POST" if path in BODIES else "GET"
            body = BODIES.get(path)
            assert client.request(method, path, json=body).status_code == 401
            headers = {"Authorization": f"Bearer {token}"}
            answer = client.request(method, path, json=body, headers=headers)
            assert answer.status_code == (200 if own == scope else 403)


def test_route_is_documented_with_its_refusals(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/predict"]["post"]
    refusals = {"401", "403", "408", "413", "415", "422", "503"}
    assert operation["responses"].keys() == {"200", *refusals}
    assert operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
