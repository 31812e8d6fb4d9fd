"""Each platform's own client, or its documented request, gets the answers of /v1/predict."""

import json
import math
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from multiplying import Published
from servers import running

ROWS = [{"x": 2, "who": "ann"}, {"x": 3, "who": "bob"}]
COLUMNS = {"x": [2, 3], "who": ["ann", "bob"]}
SPLIT = {"columns": ["x", "who"], "data": [[2, "ann"], [3, "bob"]]}
ANSWERS = [{"y": 2}, {"y": 3}]


@pytest.fixture
def client(times: Published) -> Iterator[TestClient]:
    with TestClient(times.app()) as opened:
        yield opened


def post(client: TestClient, body: str) -> httpx2.Response:
    headers = {"content-type": "application/json"}
    answer: httpx2.Response = client.post("/invocations", content=body, headers=headers)
    return answer


@pytest.mark.parametrize("params", [None, {"temperature": 0.1}])
def test_answers_the_client_of_mlflow(times: Published, params: Any) -> None:
    mlflow_client = pytest.importorskip("mlflow.pyfunc.scoring_server.client")
    frame = pytest.importorskip("pandas").DataFrame(COLUMNS)
    with running(times.app()) as url:
        host, port = url.removeprefix("http://").split(":")
        client = mlflow_client.ScoringServerClient(host, port)
        client.wait_server_ready()
        for data in (frame, frame.assign(who=["ann", None]), ROWS):
            found = client.invoke(data, params=params)
            assert found.get_predictions()["y"].tolist() == [2, 3]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": ROWS},
        {"inputs": COLUMNS},
        {"instances": ROWS, "params": {"top": 3}},
        {"dataframe_records": ROWS},
        {"dataframe_split": SPLIT},
        {"dataframe_split": {**SPLIT, "index": [0, 1]}},
    ],
)
def test_answers_every_format_of_mlflow(client: TestClient, body: Any) -> None:
    answer = client.post("/invocations", json=body)
    assert answer.json()["predictions"] == ANSWERS


@pytest.mark.parametrize(
    ("value", "statuses"), [(math.nan, [200, 200, 422, 422]), (math.inf, [422] * 4)]
)
def test_only_in_a_data_frame_nan_is_a_missing_value(
    client: TestClient, value: float, statuses: list[int]
) -> None:
    rows = [{"x": 2, "who": value}]  # a text, which is optional
    split = {"columns": ["x", "who"], "data": [[2, value]]}
    bodies = [{"dataframe_split": split}, {"dataframe_records": rows}]
    bodies += [{"instances": rows}, {"inputs": rows}]
    texts = map(json.dumps, bodies)
    assert [post(client, text).status_code for text in texts] == statuses


def test_missing_value_of_a_required_field_is_named(client: TestClient) -> None:
    answer = post(client, '{"dataframe_records": [{"x": 1}, {"x": NaN}]}')
    (error,) = answer.json()["detail"]
    assert error["loc"] == ["body", "dataframe_records", 1, "x"]
    assert error["msg"] == "Field required"


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ([], "should be an object"),
        ({}, "must have exactly one of instances, inputs"),
        ({"inputs": None}, "must have exactly one of"),
        ({"inputs": ROWS, "instances": ROWS}, "must have exactly one of"),
        ({"inputs": {"x": [1], "who": ["ann", "bob"]}}, "a value of each column"),
        ({"inputs": {}}, "at least 1 item"),
        ({"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}}, "a value of each column"),
        ({"dataframe_split": {"columns": ["x", "x"], "data": [[1, 2]]}}, "different column names"),
        ({"dataframe_split": {"columns": [[]], "data": [[1]]}}, "a valid string"),
        ({"dataframe_split": 3}, "dataframe_split"),
        ({"dataframe_records": [3, 3]}, "dataframe_records"),
        ({"inputs": [{"x": 1, "odd": 1}]}, "not permitted"),
        ({"inputs": [{"x": "1"}]}, "a valid number"),
        ({"inputs": ROWS * 501}, "at most 1000 items"),
    ],
)
def test_refuses_a_body_that_has_none_of_the_formats(
    client: TestClient, body: Any, rule: str
) -> None:
    answer = client.post("/invocations", json=body)
    assert answer.status_code == 422
    assert rule in answer.text


@pytest.mark.parametrize("parameters", [{}, {"parameters": {"top": 3}}])
def test_answers_the_documented_requests_of_vertex_ai(client: TestClient, parameters: Any) -> None:
    answer = client.post("/invocations", json={"instances": ROWS, **parameters})
    assert answer.json()["predictions"] == ANSWERS


@pytest.mark.parametrize("path", ["/ping", "/health", "/version"])
def test_health_routes_need_no_key(times: Published, path: str) -> None:
    with TestClient(times.app(serve_keys="keys.json")) as client:
        assert client.get(path).status_code == client.head(path).status_code == 200
        assert client.post("/invocations", json={"inputs": ROWS}).status_code == 401
        assert client.get("/version").text == "1"
