"""The documented requests of KServe's protocol V1 get the answers of /v1/predict."""

from fastapi.testclient import TestClient
from multiplying import Published

ROWS = [{"x": 2}, {"x": 3}]


def test_answers_the_documented_requests(times: Published) -> None:
    with TestClient(times.app()) as client:
        assert client.get("/v1/models").json() == {"models": ["t"]}
        assert client.get("/v1/models/t").json() == {"name": "t", "ready": True}
        for body in ({"instances": ROWS}, {"inputs": ROWS}):
            answer = client.post("/v1/models/t:predict", json=body)
            assert answer.json()["predictions"] == [{"y": 2}, {"y": 3}]
        for unknown in (client.get("/v1/models/u"), client.post("/v1/models/u:predict", json={})):
            assert unknown.status_code == 404
            assert "there is t" in unknown.json()["detail"]


def test_predictions_need_a_key(times: Published) -> None:
    with TestClient(times.app(serve_keys="keys.json")) as client:
        answer = client.post("/v1/models/t:predict", json={"instances": ROWS})
        assert answer.status_code == 401
