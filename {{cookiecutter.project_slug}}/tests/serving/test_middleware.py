"""What every answer carries, what is counted and logged, and which requests are refused."""

import asyncio
import logging
import re
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from servers import running, wait_until

from project_package.serving.log_config import PACKAGE
from project_package.serving.middleware import (
    AccessLog,
    Disconnects,
    InFlightLimit,
    add_middleware,
)
from project_package.serving.prometheus import Metrics
from project_package.settings import Settings

CARD = "4111111111111111"
SHOP = "https://shop.example"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def client(metrics: Metrics) -> TestClient:
    app = FastAPI()

    @app.get("/v1/cards/{card}")
    async def well(card: str) -> str:
        return card

    @app.get("/fails")
    async def fails() -> None:
        raise ValueError(CARD)

    add_middleware(app, Settings(serve_cors_origins=SHOP), metrics, exempt=())
    return TestClient(app, raise_server_exceptions=False)


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app)
    return httpx2.AsyncClient(transport=transport, base_url="http://server")


@pytest.mark.parametrize(
    ("sent", "accepted"),
    [("abcdef-0.1_2", True), ("", False), ("a b", False), ("x" * 65, False), (CARD, False)],
)
def test_every_answer_has_a_request_id(client: TestClient, sent: str, accepted: bool) -> None:
    answers = [client.get(p, headers={"x-request-id": sent}) for p in ("/v1/cards/a", "/none")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert [one == sent for one in ids] == [accepted] * 2
    assert all(re.fullmatch(r"[\w.-]{8,64}", one) for one in ids)


@pytest.mark.parametrize("path", ["/v1/cards/a", "/none", "/fails", "/docs"])
def test_every_answer_has_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


def test_a_failure_is_a_500_without_details(client: TestClient) -> None:
    answer = client.get("/fails")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json")
    assert not re.search(f"ValueError|{CARD}", answer.text)


def test_counts_and_times_answers_by_route(client: TestClient, metrics: Metrics) -> None:
    for path in ("/v1/cards/a", "/v1/cards/b", "/fails", f"/{CARD}", "/other"):
        client.get(path)
    client.post("/v1/cards/a")
    page = metrics.page().decode()
    for route, status, count in (
        ("/v1/cards/{card}", 200, 2),
        ("/v1/cards/{card}", 405, 1),
        ("/fails", 500, 1),
        ("other", 404, 2),
    ):
        assert f'requests_total{{route="{route}",status="{status}"}} {count}.0' in page
    assert 'request_seconds_count{route="/v1/cards/{card}"} 3.0' in page
    assert CARD not in page


def test_logs_refusals_once_a_second_without_content(
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


def test_a_response_sent_twice_has_each_header_once() -> None:
    app = FastAPI()
    shared = Response()
    app.get("/")(lambda: shared)
    add_middleware(app, Settings(), Metrics(), exempt=())
    for _ in range(2):
        headers = TestClient(app).get("/").headers
        assert len(headers.get_list("x-request-id")) == 1


def test_answers_the_preflight_of_a_listed_origin(client: TestClient) -> None:
    for origin, status in ((SHOP, 200), ("https://evil.example", 400)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert client.options("/v1/cards/a", headers=headers).status_code == status


@pytest.mark.anyio
async def test_refuses_requests_beyond_the_limit_unread() -> None:
    app = FastAPI()
    metrics = Metrics()
    read = list[bool]()
    app.add_middleware(InFlightLimit, limit=8, metrics=metrics, exempt=["/healthz"])
    app.get("/healthz")(lambda: "alive")

    @app.post("/predict")
    async def predict(request: Request) -> int:
        await asyncio.sleep(0.1)
        return len(await request.body())

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"abc"

    async with client_of(app) as client:
        posts = [client.post("/predict", content=body()) for _ in range(32)]
        *answers, health = await asyncio.gather(*posts, client.get("/healthz"))
    assert health.status_code == 200
    assert Counter(answer.status_code for answer in answers) == {200: 8, 503: 24}
    assert len(read) == 8
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "too many requests in flight" in refused.json()["detail"]
    assert b'refused_total{reason="busy"} 24.0' in metrics.page()
    assert b"requests_in_flight 0.0" in metrics.page()
    assert TestClient(app).post("/predict", content=b"abc").json() == 3


@pytest.mark.anyio
async def test_a_delayed_503_leaves_room_for_other_requests() -> None:
    app = FastAPI()
    metrics = Metrics()
    app.add_middleware(InFlightLimit, limit=1, metrics=metrics)
    app.get("/well")(lambda: "well")

    @app.get("/unavailable", status_code=503)
    async def unavailable() -> str:
        return "later"

    async with client_of(app) as client:
        refused = asyncio.create_task(client.get("/unavailable"))
        await asyncio.sleep(0.1)
        assert (await client.get("/well")).status_code == 200
        assert not refused.done()
        assert (await refused).status_code == 503
    assert b"requests_in_flight 0.0" in metrics.page()


def test_a_request_ends_when_its_client_has_gone(metrics: Metrics) -> None:
    app = FastAPI()
    reached = threading.Event()

    @app.post("/waits")
    async def waits(request: Request) -> None:
        await request.body()
        reached.set()
        await asyncio.sleep(60)

    app.add_middleware(Disconnects, seconds=0)
    app.add_middleware(AccessLog, metrics=metrics)
    with running(app) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address) as client:
            client.sendall(b"POST /waits HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n1")
            assert reached.wait(20)
        wait_until(lambda: b'requests_total{route="/waits",status="499"} 1.0' in metrics.page())


def test_a_long_stream_is_no_failure(metrics: Metrics, caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()

    @app.post("/stream")
    async def stream(request: Request) -> StreamingResponse:
        await request.body()

        async def parts() -> AsyncIterator[str]:
            for part in "abc":
                yield part
                await asyncio.sleep(0.05)

        return StreamingResponse(parts())

    app.add_middleware(Disconnects, seconds=0)
    app.add_middleware(AccessLog, metrics=metrics)
    with running(app) as url:
        assert httpx2.post(f"{url}/stream", content=b"1").text == "abc"
        wait_until(lambda: b'requests_total{route="/stream",status="200"} 1.0' in metrics.page())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
