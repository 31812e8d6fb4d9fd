"""The guard: what is refused, in which words, and what every answer carries."""

import asyncio
import logging
import re
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from project_package.api_keys import add
from project_package.serving.door import Door, Limits
from project_package.serving.guard import Guard
from project_package.serving.keys import Ring
from project_package.serving.metrics import Metrics
from project_package.serving.shadow import Shadow

NEVER = asyncio.Event


class Word(BaseModel):
    word: str


def app_behind(door: Door) -> FastAPI:
    """Give an application with a route that answers, one that waits and one that fails."""

    @asynccontextmanager
    async def sweeping(_: FastAPI) -> Any:
        task = asyncio.create_task(door.sweep())
        yield
        task.cancel()

    app = FastAPI(lifespan=sweeping)
    app.add_middleware(
        Guard, door=door, metrics=Metrics([], door, lambda: 0, str, cast(Shadow, None))
    )
    for path in ("/v1/predict", "/v1/labels", "/v1/events", "/invocations"):
        app.post(path)(answer)
    for path in ("/v1/model", "/metrics", "/healthz"):
        app.get(path)(well)
    app.get("/waits")(wait)
    app.get("/fails")(fail)
    return app


async def answer(body: Word) -> str:
    return body.word


async def well() -> str:
    return "well"


async def wait() -> None:
    await NEVER().wait()


async def fail() -> None:
    raise ValueError("4111111111111111")


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """Make a key for each scope, by the name of the scope."""
    path = tmp_path / "keys.json"
    return {scope: add(path, scope, [scope]) for scope in ("predict", "labels", "admin")}


@pytest.fixture
def guarded(tokens: dict[str, str], tmp_path: Path) -> TestClient:
    assert tokens
    return TestClient(app_behind(Door(Ring(tmp_path / "keys.json"), Limits())))


def opened(limits: Limits) -> TestClient:
    """Let everybody in, within limits."""
    return TestClient(app_behind(Door(None, limits)), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/v1/predict", "predict"),
        ("POST", "/invocations", "predict"),
        ("POST", "/v1/labels", "labels"),
        ("POST", "/v1/events", "labels"),
        ("GET", "/v1/model", "admin"),
        ("GET", "/metrics", "admin"),
    ],
)
def test_each_route_needs_its_scope(
    guarded: TestClient, tokens: dict[str, str], method: str, path: str, scope: str
) -> None:
    body = {"word": "yes"} if method == "POST" else None
    for name, token in tokens.items():
        for headers in ({"Authorization": f"Bearer {token}"}, {"X-API-Key": token}):
            found = guarded.request(method, path, json=body, headers=headers)
            assert found.status_code == (200 if name == scope else 403)
    refused = guarded.request(method, path, json=body, headers={"X-API-Key": "wrong"})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert "ml key NAME" in refused.json()["detail"]


def test_without_a_key_only_open_paths_tell_whether_they_are_there(guarded: TestClient) -> None:
    assert guarded.get("/healthz").status_code == 200
    assert guarded.get("/openapi.json").status_code == 200
    assert guarded.get("/docs").status_code == 200
    assert guarded.get("/not-there").status_code == 401
    assert guarded.get("/docs/../v1/model").status_code == 401


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_is_refused_however_it_comes(chunked: bool) -> None:
    client, body = opened(Limits(body_bytes=100)), b'{"word": "%s"}'
    headers = {"content-type": "application/json"}
    for size, status in ((80, 200), (101, 413)):
        whole = body % (b"x" * (size - 12))
        content: Any = iter([whole[:50], whole[50:]]) if chunked else whole
        found = client.post("/v1/predict", content=content, headers=headers)
        assert found.status_code == status
    assert found.json() == {"detail": "body: is larger than 9.53674e-05 MB."}


def test_a_key_that_asks_too_often_is_told_when_to_ask_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, clock = [1000.0], "project_package.serving.door.time.monotonic"
    monkeypatch.setattr(clock, lambda: now[0])
    client = opened(Limits(rate=2))
    assert [client.get("/v1/model").status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("/v1/model").headers["retry-after"] == "1"
    assert client.get("/healthz").status_code == 200
    now[0] += 0.5
    assert [client.get("/v1/model").status_code for _ in range(2)] == [200, 429]


async def many(door: Door, count: int, path: str = "/waits") -> list[httpx.Response]:
    """Ask at once, beside the sweeper."""
    transport = httpx.ASGITransport(app_behind(door))
    sweeper = asyncio.create_task(door.sweep())
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        found = await asyncio.gather(*(client.get(path) for _ in range(count)))
    sweeper.cancel()
    return found


def test_too_many_at_once_are_refused_at_once_and_the_rest_is_answered() -> None:
    door = Door(None, Limits(inside=3, answer_seconds=0.1))
    found = asyncio.run(many(door, 10))
    details = [answer.json()["detail"] for answer in found]
    assert [answer.status_code for answer in found] == [503] * 10
    assert all(answer.headers["retry-after"] == "1" for answer in found)
    assert sum("too much to do" in detail for detail in details) == 7
    assert sum("took too long" in detail for detail in details) == 3
    assert (door.inside, door.entries) == (0, {})
    assert [a.status_code for a in asyncio.run(many(door, 10, "/v1/model"))] == [200] * 10


def test_a_body_that_does_not_arrive_is_refused() -> None:
    async def halting() -> Any:
        yield b'{"word"'
        await NEVER().wait()

    async def ask(door: Door) -> httpx.Response:
        transport = httpx.ASGITransport(app_behind(door))
        sweeper = asyncio.create_task(door.sweep())
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            found = await client.post("/v1/predict", content=halting())
        sweeper.cancel()
        return found

    found = asyncio.run(ask(Door(None, Limits(body_seconds=0.1))))
    assert (found.status_code, found.headers["connection"]) == (408, "close")
    assert found.json() == {"detail": "body: took too long to arrive."}


@pytest.mark.parametrize(
    ("given", "taken"),
    [("abcdef-0.1_2", True), ("", False), ("a b", False), ("x" * 65, False), ("4" * 16, False)],
)
def test_every_answer_has_an_id(given: str, taken: bool) -> None:
    client = opened(Limits())
    found = [client.get(p, headers={"x-request-id": given}) for p in ("/v1/model", "/none")]
    names = [answer.headers["x-request-id"] for answer in found]
    assert [name == given for name in names] == [taken] * 2
    assert all(re.fullmatch(r"[\w.-]{8,64}", name) for name in names)


def test_every_answer_has_security_headers() -> None:
    client = opened(Limits())
    for path in ("/v1/model", "/none", "/fails"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "strict-transport-security" not in headers
    assert "script-src 'self'" in client.get("/docs").headers["content-security-policy"]
    secure = client.get("https://testserver/v1/model").headers
    assert secure["strict-transport-security"] == "max-age=31536000"


def test_errors_are_json_and_a_failure_tells_nothing_of_the_inside() -> None:
    client = opened(Limits())
    found = [client.get("/none"), client.get("/v1/predict"), client.get("/fails")]
    assert [answer.status_code for answer in found] == [404, 405, 500]
    assert all(isinstance(answer.json()["detail"], str) for answer in found)
    assert not re.search("ValueError|4111", found[2].text)


def test_the_log_tells_what_was_refused_once_a_second_when_it_is_too_much(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = opened(Limits(rate=1))
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            client.get("/v1/model")
    assert len(caplog.records) == 1
    told = vars(caplog.records[0])
    assert (told["route"], told["status"], told["reason"]) == ("/v1/model", 429, "rate")


def test_an_answer_ends_its_connection_when_the_server_is_about_to_stop() -> None:
    closing = TestClient(app_behind(Door(None, Limits(), closing=True)))
    assert closing.get("/v1/model").headers["connection"] == "close"
