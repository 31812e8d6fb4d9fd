"""Limits: which requests are refused, how, and what they cost the others."""

import asyncio
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.testclient import TestClient
from servers import running

from project_package.serving.limits import InFlightLimit, RateLimit, limit_rate
from project_package.serving.metrics import Metrics

LIMIT = 8


def slow_app(limit: int, metrics: Metrics) -> FastAPI:
    """Build an application that answers after 10 ms, and health at once."""
    app = FastAPI()

    @app.post("/predict")
    async def predict(request: Request) -> int:
        body = await request.body()
        await asyncio.sleep(0.01)
        return len(body)

    app.get("/healthz")(lambda: "alive")
    app.add_middleware(InFlightLimit, limit=limit, metrics=metrics, exempt=["/healthz"])
    return app


async def ask_at_once(url: str, connections: int) -> tuple[list[httpx.Response], httpx.Response]:
    """Ask on so many connections at once, and for health meanwhile."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        asked = [client.post("/predict", content=b"abc") for _ in range(connections)]
        *answers, health = await asyncio.gather(*asked, client.get("/healthz"))
    return answers, health


def test_refuses_requests_beyond_the_limit() -> None:
    metrics = Metrics()
    with running(slow_app(LIMIT, metrics)) as url:
        answers, health = asyncio.run(ask_at_once(url, 4 * LIMIT))
        assert httpx.post(f"{url}/predict", content=b"abc").json() == 3
    assert health.status_code == 200
    statuses = Counter(answer.status_code for answer in answers)
    assert statuses.keys() == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "too many requests in flight" in refused.json()["detail"]
    page = metrics.page().decode()
    assert f'refused_total{{reason="busy"}} {statuses[503]}.0' in page
    assert "requests_in_flight 0.0" in page


def test_arriving_bodies_count_and_refused_ones_stay_unread() -> None:
    app = InFlightLimit(slow_app(1, Metrics()), limit=1, metrics=Metrics())
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
    scope |= {"query_string": b"", "root_path": ""}
    statuses = list[int]()

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    async def never() -> dict[str, Any]:
        pytest.fail("the body was read")

    async def ask_twice() -> None:
        arrived = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await arrived.wait()
            return {"type": "http.request", "body": b"abc", "more_body": False}

        first = asyncio.create_task(app(dict(scope), receive, send))
        await asyncio.sleep(0)
        await app(dict(scope), never, send)
        arrived.set()
        await first

    asyncio.run(ask_twice())
    assert statuses == [503, 200]


def test_a_bucket_fills_at_the_rate_of_the_limit() -> None:
    now = 1000.0
    limit = RateLimit(2, clock=lambda: now)
    assert [limit.take("a") for _ in range(3)] == [0, 0, 0.5]
    assert limit.take("b") == 0
    now += 0.5
    assert [limit.take("a"), limit.take("a")] == [0, 0.5]
    now += 60
    assert [limit.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_too_many_requests_of_a_key_are_a_429() -> None:
    app = FastAPI()
    app.state.metrics, app.state.rate_limit = Metrics(), RateLimit(0.1)

    def name_key(request: Request) -> None:
        request.state.key = request.headers["x-api-key"]

    app.get("/", dependencies=[Depends(name_key), Depends(limit_rate)])(lambda: "well")
    client = TestClient(app)
    statuses = [client.get("/", headers={"x-api-key": key}).status_code for key in "aba"]
    assert statuses == [200, 200, 429]
    refused = client.get("/", headers={"x-api-key": "a"})
    assert 9 <= int(refused.headers["retry-after"]) <= 10
    assert refused.json()["detail"] == "This key made more than 0.1 requests a second."
    app.state.rate_limit = None
    assert client.get("/", headers={"x-api-key": "a"}).status_code == 200
