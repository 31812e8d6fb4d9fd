"""Each platform's own client, or its documented request, gets the answers of /v1/predict."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from fastapi.testclient import TestClient
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from project_package.bundle import EXAMPLES
from project_package.lifecycle.project import Project
from project_package.serving.app import create_app
from project_package.serving.routes import MAX_INSTANCES
from project_package.serving.services import Options
from project_package.settings import Settings
from project_package.state.base import State
from project_package.model_store import BUNDLE, Store

ROUTES = ("/vertex/predict", "/vertex/health")
FORMS = ("inputs", "instances", "dataframe_records")


@pytest.fixture
def pairs(project: Project) -> list[dict[str, Any]]:
    """Give the champion's examples: requests with their answers."""
    found: list[dict[str, Any]] = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])
    return found


@pytest.fixture
def client(project: Project, tmp_path: Path) -> Iterator[TestClient]:
    state = State(tmp_path / "state.db", project.use_case.api.memory)
    options = Options(routes=ROUTES)
    app = create_app(project.use_case.api, project.registry.store, state, options)
    with TestClient(app) as opened:
        yield opened


@pytest.fixture
def empty(multiplying: Any, tmp_path: Path) -> TestClient:
    """Serve a store without a champion."""
    state = State(tmp_path / "other.db", multiplying.api.memory)
    store = Store(str(tmp_path / "nothing"))
    return TestClient(create_app(multiplying.api, store, state, Options(routes=ROUTES)))


def test_mlflows_own_client_is_answered(multiplying: Any, running: Any) -> None:
    with running(multiplying.app(Options())) as url:
        host, port = url.removeprefix("http://").split(":")
        open_client: Any = ScoringServerClient  # it has no types
        asked = open_client(host, port)
        asked.wait_server_ready()
        numbers = pl.DataFrame({"x": [2.0, 3.0], "who": ["ann", "bob"]}).to_pandas()
        assert asked.invoke(numbers).get_predictions()["y"].tolist() == [2, 3]


def test_every_form_of_mlflow_gets_the_same_answers(
    client: TestClient, pairs: list[dict[str, Any]]
) -> None:
    requests = [pair["request"] for pair in pairs]
    names = list(requests[0])
    split = {"columns": names, "data": [[row[name] for name in names] for row in requests]}
    bodies = [{form: requests} for form in FORMS]
    for body in (*bodies, {"dataframe_split": {**split, "index": [*range(len(requests))]}}):
        answer = client.post("/invocations", json=body)
        assert answer.json()["predictions"] == [pair["response"] for pair in pairs]


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ([], "should be an object"),
        ({}, "must have one of inputs, instances"),
        ({"inputs": None}, "must have one of"),
        ({"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}}, "a value of each"),
        ({"dataframe_split": {"columns": [[]], "data": [[1]]}}, "a valid string"),
        ({"dataframe_split": 3}, "dataframe_split"),
        ({"inputs": [{"odd": 1}]}, "not permitted"),
        ({"inputs": [3] * (MAX_INSTANCES + 1)}, "at most 1000 items"),
    ],
)
def test_a_body_that_is_none_of_mlflows_is_told(client: TestClient, body: Any, rule: str) -> None:
    answer = client.post("/invocations", json=body)
    assert answer.status_code == 422
    assert rule in answer.text


def test_the_documented_requests_of_kserve_are_answered(
    client: TestClient, project: Project, pairs: list[dict[str, Any]]
) -> None:
    name = project.params.name
    assert client.get("/v1/models").json() == {"models": [name]}
    assert client.get(f"/v1/models/{name}").json() == {"name": name, "ready": True}
    body = {"instances": [pair["request"] for pair in pairs]}
    answer = client.post(f"/v1/models/{name}:predict", json=body)
    assert answer.json()["predictions"] == [pair["response"] for pair in pairs]
    for strange in (client.get("/v1/models/x"), client.post("/v1/models/x:predict", json=body)):
        assert strange.status_code == 404
        assert name in strange.json()["detail"]


def test_the_documented_requests_of_vertex_ai_are_answered_where_it_says(
    client: TestClient, pairs: list[dict[str, Any]]
) -> None:
    predict, health = ROUTES
    assert client.get(health).status_code == 200
    body = {"instances": [pair["request"] for pair in pairs]}
    answer = client.post(predict, json=body)
    assert answer.json()["predictions"] == [pair["response"] for pair in pairs]


def test_vertex_ai_says_where_to_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (Settings().host, Settings().port) == ("127.0.0.1", 8000)
    monkeypatch.setenv("AIP_HTTP_PORT", "8080")
    assert (Settings().host, Settings().port) == ("0.0.0.0", 8080)  # noqa: S104
    monkeypatch.setenv("SERVE_HOST", "::1")
    assert Settings().host == "::1"


def test_every_format_says_when_it_is_not_ready(client: TestClient, empty: TestClient) -> None:
    for path in ("/ping", ROUTES[1], "/v1/models"):
        assert client.get(path).status_code == 200
        assert empty.get(path).status_code == 503
    assert empty.get("/v1/models/t").status_code == 503
    for path in ("/invocations", ROUTES[0], "/v1/models/t:predict"):
        assert empty.post(path, json={"instances": [{"x": 1}]}).status_code == 503
