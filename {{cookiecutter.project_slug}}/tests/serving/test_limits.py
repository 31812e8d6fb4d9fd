"""Limits: which requests are refused, how, and what they cost the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx2
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from project_package.serving.limits import InFlightLimit
from project_package.serving.metrics import Metrics


def test_refuses_requests_beyond_the_limit_unread() -> None:
    app, metrics, read = FastAPI(), Metrics(), list[bool]()
    app.add_middleware(InFlightLimit, limit=8, metrics=metrics, exempt=["/healthz"])
    app.get("/healthz")(lambda: "alive")

    @app.post("/predict")
    async def predict(request: Request) -> int:
        await asyncio.sleep(0.1)
        return len(await request.body())

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"abc"

    async def ask() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as client:
            posts = [client.post("/predict", content=body()) for _ in range(32)]
            return await asyncio.gather(*posts, client.get("/healthz"))

    *answers, health = asyncio.run(ask())
    assert health.status_code == 200
    assert Counter(answer.status_code for answer in answers) == {200: 8, 503: 24}
    assert len(read) == 8
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.headers["retry-after"] == "1"
    assert "too many requests in flight" in refused.json()["detail"]
    assert b'refused_total{reason="busy"} 24.0' in metrics.page()
    assert b"requests_in_flight 0.0" in metrics.page()
    assert TestClient(app).post("/predict", content=b"abc").json() == 3


def test_a_delayed_503_leaves_room_for_other_requests() -> None:
    app, metrics = FastAPI(), Metrics()
    app.add_middleware(InFlightLimit, limit=1, metrics=metrics)
    app.get("/well")(lambda: "well")

    @app.get("/unavailable", status_code=503)
    async def unavailable() -> str:
        return "later"

    async def ask() -> tuple[bool, list[int]]:
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as client:
            refused = asyncio.create_task(client.get("/unavailable"))
            await asyncio.sleep(0.1)
            well = await client.get("/well")
            return refused.done(), [well.status_code, (await refused).status_code]

    assert asyncio.run(ask()) == (False, [200, 503])
    assert b"requests_in_flight 0.0" in metrics.page()
