"""What every answer carries, and what is counted and logged of each request."""

import asyncio
import logging
import re

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families as parse

from project_package.serving.limits import RETRY
from project_package.serving.log_config import PACKAGE
from project_package.serving.metrics import Metrics
from project_package.serving.middleware import add_middleware
from project_package.settings import Settings

CARD = "4111111111111111"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> TestClient:
    router = APIRouter()

    @router.get("/v1/cards/{card}")
    async def well(card: str) -> str:
        return card

    @router.get("/fails")
    async def fails() -> None:
        raise ValueError(CARD)

    app = FastAPI()
    app.include_router(router)
    settings = Settings(serve_cors_origins="https://shop.example")
    add_middleware(app, settings, metrics, exempt=())
    return TestClient(app, raise_server_exceptions=False)


def count(metrics: Metrics, name: str, **labels: str) -> float:
    samples = [s for family in parse(metrics.page().decode()) for s in family.samples]
    return sum(s.value for s in samples if s.name == name and s.labels == labels)


@pytest.mark.parametrize(
    ("given", "accepted"),
    [("abcdef-0.1_2", True), ("", False), ("a b", False), ("x" * 65, False), (CARD, False)],
)
def test_every_answer_has_a_request_id(client: TestClient, given: str, accepted: bool) -> None:
    answers = [client.get(p, headers={"x-request-id": given}) for p in ("/v1/cards/a", "/none")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert [one == given for one in ids] == [accepted] * 2
    assert all(re.fullmatch(r"[\w.-]{8,64}", one) for one in ids)


def test_every_answer_has_security_headers(client: TestClient) -> None:
    for path in ("/v1/cards/a", "/none", "/fails"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "strict-transport-security" not in headers


def test_the_page_may_run_its_scripts_and_https_stays(client: TestClient) -> None:
    assert "script-src 'self'" in client.get("/docs").headers["content-security-policy"]
    secure = client.get("https://testserver/v1/cards/a").headers
    assert secure["strict-transport-security"] == "max-age=31536000"


def test_a_failure_is_a_500_without_details(client: TestClient) -> None:
    answer = client.get("/fails")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert isinstance(answer.json()["detail"], str)
    assert not re.search(f"ValueError|{CARD}", answer.text)


def test_counts_and_times_answers_by_route_template(client: TestClient, metrics: Metrics) -> None:
    for path in ("/v1/cards/a", "/v1/cards/b", "/fails", f"/{CARD}", "/other"):
        client.get(path)
    client.post("/v1/cards/a")
    assert count(metrics, "requests_total", route="/v1/cards/{card}", status="200") == 2
    assert count(metrics, "requests_total", route="/v1/cards/{card}", status="405") == 1
    assert count(metrics, "requests_total", route="/fails", status="500") == 1
    assert count(metrics, "requests_total", route="other", status="404") == 2
    assert count(metrics, "request_seconds_count", route="/v1/cards/{card}") == 3
    assert CARD not in metrics.page().decode()


def test_logs_refusals_once_a_second_without_what_was_sent(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, PACKAGE):
        for _ in range(5):
            client.get(f"/{CARD}?card={CARD}", headers={"x-api-key": CARD})
        client.post("/v1/cards/a")
        client.get("/v1/cards/a")
        client.get("/fails")
    fields = [vars(record) for record in caplog.records if record.name.startswith(PACKAGE)]
    assert [(f["msg"], f["route"], f["status"]) for f in fields] == [
        ("refused", "other", 404),
        ("refused", "/v1/cards/{card}", 405),
        ("failed", "/fails", 500),
    ]
    assert CARD not in str(fields)


def test_only_listed_origins_may_call(client: TestClient) -> None:
    for origin, allowed in (("https://shop.example", True), ("https://evil.example", False)):
        answer = client.get("/v1/cards/a", headers={"Origin": origin})
        assert (answer.headers.get("access-control-allow-origin") == origin) == allowed
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    assert client.options("/v1/cards/a", headers=asked).status_code == 200
    plain = FastAPI()
    add_middleware(plain, Settings(), Metrics(), exempt=())
    headers = TestClient(plain).get("/none", headers={"Origin": "https://shop.example"}).headers
    assert "access-control-allow-origin" not in headers


def test_a_refused_request_has_id_headers_and_count(metrics: Metrics) -> None:
    app = FastAPI()
    app.get("/waits")(asyncio.Event().wait)
    add_middleware(app, Settings(serve_answer_seconds=0.05), metrics, exempt=())
    answer = TestClient(app).get("/waits")
    assert answer.status_code == 503
    assert answer.headers.items() >= {k.lower(): v for k, v in RETRY.items()}.items()
    assert answer.headers["x-request-id"]
    assert count(metrics, "requests_total", route="/waits", status="503") == 1
