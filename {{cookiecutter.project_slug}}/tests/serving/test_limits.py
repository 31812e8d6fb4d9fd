"""Limits: which requests are refused, how, and what they cost the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from servers import running

from project_package.serving.limits import AnswerTimeout, InFlightLimit, RateLimit, limit_rate
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

    @app.get("/healthz")
    async def healthz() -> str:
        return "alive"

    app.add_middleware(InFlightLimit, limit=limit, metrics=metrics, exempt=["/healthz"])
    return app


async def ask_again_and_again(url: str, connections: int, each: int) -> list[httpx.Response]:
    """Ask on so many connections at once; each asks again as soon as it is answered."""
    async with httpx.AsyncClient(
        base_url=url, limits=httpx.Limits(max_connections=None), timeout=60
    ) as client:

        async def ask(path: str) -> list[httpx.Response]:
            method = "GET" if path == "/healthz" else "POST"
            return [await client.request(method, path) for _ in range(each)]

        asked = [ask("/predict") for _ in range(connections)]
        found = await asyncio.gather(*asked, ask("/healthz"))
    return [answer for answers in found for answer in answers]


def test_answers_as_many_as_may_be_in_flight_and_refuses_the_rest() -> None:
    metrics = Metrics()
    with running(slow_app(LIMIT, metrics)) as url:
        answers = asyncio.run(ask_again_and_again(url, 4 * LIMIT, each=8))
        health = [answer for answer in answers if answer.url.path == "/healthz"]
        rest = [answer for answer in answers if answer.url.path != "/healthz"]
        assert {answer.status_code for answer in health} == {200}
        statuses = Counter(answer.status_code for answer in rest)
        assert statuses.keys() == {200, 503}
        assert statuses.total() == 4 * LIMIT * 8
        refused = [answer for answer in rest if answer.status_code == 503]
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert "too many requests in flight" in refused[0].json()["detail"]
        assert httpx.post(f"{url}/predict", content=b"abc").json() == 3
    page = metrics.page().decode()
    assert f'refused_total{{reason="busy"}} {len(refused)}.0' in page
    assert "requests_in_flight 0.0" in page


def test_arriving_bodies_count_and_refused_ones_are_not_read() -> None:
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


def test_an_answer_that_takes_too_long_is_a_503() -> None:
    app = FastAPI()
    app.get("/slow")(asyncio.Event().wait)
    app.add_middleware(AnswerTimeout, seconds=0.05, metrics=Metrics())
    answer = TestClient(app).get("/slow")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json() == {"detail": "The answer took too long: try again."}


def test_an_answer_that_has_begun_may_take_longer() -> None:
    async def lines() -> AsyncIterator[str]:
        for line in "ab":
            yield line
            await asyncio.sleep(0.1)

    app = FastAPI()
    app.get("/stream")(lambda: StreamingResponse(lines()))
    app.add_middleware(AnswerTimeout, seconds=0.05, metrics=Metrics())
    assert TestClient(app).get("/stream").text == "ab"


def test_a_timeout_of_the_application_is_its_own() -> None:
    app = FastAPI()

    @app.get("/")
    async def fails() -> None:
        raise TimeoutError

    app.add_middleware(AnswerTimeout, seconds=60, metrics=Metrics())
    with pytest.raises(TimeoutError):
        TestClient(app).get("/")


def test_a_key_that_asks_too_often_waits_for_its_bucket() -> None:
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

    async def name_key(request: Request) -> None:
        request.state.key = request.headers["x-api-key"]

    @app.get("/", dependencies=[Depends(name_key), Depends(limit_rate)])
    async def answer() -> str:
        return "well"

    client = TestClient(app)
    statuses = [client.get("/", headers={"x-api-key": key}).status_code for key in "aba"]
    assert statuses == [200, 200, 429]
    refused = client.get("/", headers={"x-api-key": "a"})
    assert 9 <= int(refused.headers["retry-after"]) <= 10
    assert refused.json()["detail"] == "This key made more than 0.1 requests a second."
    app.state.rate_limit = None
    assert client.get("/", headers={"x-api-key": "a"}).status_code == 200
