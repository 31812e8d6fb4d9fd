"""Bodies: limits of size and time, strict types, and errors that a client can use."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from multiplying import Published
from pydantic import BaseModel
from servers import running, wait_until

from project_package.errors import Unavailable
from project_package.serving.app import error_response
from project_package.serving.read_body import LARGE_AT_ONCE, Bodies, read_body
from project_package.settings import Settings

DEEP = 10_000
JSON = {"content-type": "application/json"}


@pytest.fixture
def client(times: Published) -> Iterator[TestClient]:
    with TestClient(times.app(serve_max_body_mb=0.1)) as opened:
        yield opened


def post(client: TestClient, content: bytes | Iterator[bytes]) -> httpx2.Response:
    answer: httpx2.Response = client.post("/v1/predict", content=content, headers=JSON)
    return answer


@pytest.mark.parametrize("size", [100_000, 200_000])
@pytest.mark.parametrize("is_chunked", [True, False])
def test_refuses_a_body_over_the_limit(client: TestClient, size: int, is_chunked: bool) -> None:
    body = b'{"instances": [{"x": 1}]}'.ljust(size)
    answer = post(client, iter([body[:9], body[9:]]) if is_chunked else body)
    assert answer.status_code == (200 if size < 0.1 * 2**20 else 413)
    if answer.status_code == 413:
        assert answer.json() == {"detail": "The body is larger than 0.1 MB."}


def test_refuses_a_body_that_does_not_arrive(times: Published) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with running(times.app(serve_body_seconds=0.1)) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=20) as slow:
            slow.sendall(head + b"content-length: 9\r\n\r\n{")
            assert slow.makefile("rb").readline() == b"HTTP/1.1 408 Request Timeout\r\n"


def test_refuses_an_encoded_body_before_it_arrives(times: Published) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with running(times.app(serve_body_seconds=60)) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(head + b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\n")
            answer = client.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 415 Unsupported Media Type")
    assert "send it without Content-Encoding" in answer


def test_accepts_a_body_whose_encoding_is_identity(client: TestClient) -> None:
    headers = {"content-encoding": "Identity"}
    body: Any = {"instances": [{"x": 1}]}
    assert client.post("/v1/predict", json=body, headers=headers).status_code == 200


def test_an_upload_that_breaks_off_is_not_a_failure(times: Published) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    with running(times.app()) as url, httpx2.Client(base_url=url) as client:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=20) as broken:
            broken.sendall(head + b"content-length: 9\r\n\r\n{")
        counted = 'requests_total{route="/v1/predict",status="400"} 1.0'
        wait_until(lambda: counted in client.get("/metrics").text)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"null", b"[]", b'"text"', b"\xff\xfe{}", b'{"instances": "\xc3\x28"}', b"{}" * 2),
        *(b'{"\\ud800": 1}', b'{"\\u0000": 1}', b"{}", b"[" * DEEP, b'{"instances": ['),
    ],
)
def test_refuses_what_is_not_json_or_not_a_body(client: TestClient, content: bytes) -> None:
    answer = post(client, content)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_refuses_another_content_type(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/predict", content=b"{}", headers={"content-type": kind})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["header", "content-type"]


@pytest.mark.parametrize(
    ("instances", "place", "rule"),
    [
        ([], [], "at least 1 item"),
        ("text", [], "a valid array"),
        ([{"x": 1}] * 1001, [], "at most 1000 items"),
        ([{"x": 1}, {"x": "2"}], [1, "x"], "a valid number"),
        ([{"x": 1, "who": 3}], [0, "who"], "a valid string"),
        ([{"x": 1, "odd": 3}], [0, "odd"], "not permitted"),
    ],
)
def test_reports_place_and_rule(
    client: TestClient, instances: Any, place: list[Any], rule: str
) -> None:
    answer = client.post("/v1/predict", json={"instances": instances})
    (error,) = answer.json()["detail"]
    assert answer.status_code == 422
    assert error["loc"] == ["body", "instances", *place]
    assert rule in error["msg"]
    assert error.keys() == {"loc", "msg", "type"}


def test_shortens_long_lists_of_errors_and_long_names(client: TestClient) -> None:
    for count, shown in ((100, 100), (101, 1)):
        unknown = dict.fromkeys((f"{n}" for n in range(count)), 1)
        answer = client.post("/v1/predict", json={"instances": [{"x": 1, **unknown}]})
        assert len(answer.json()["detail"]) == shown
    answer = client.post("/v1/predict", json={"instances": [{"x": 1, "y" * 9_000: 1}]})
    assert answer.json()["detail"][0]["loc"][-1] == "y" * 100


def test_stops_at_the_first_invalid_item(times: Published) -> None:
    bad = dict.fromkeys((f"{n}" for n in range(20)), 1)
    with TestClient(times.app(serve_max_body_mb=8)) as client:
        answer = post(client, json.dumps({"instances": [bad] * 1_000}).encode())
        assert {error["loc"][2] for error in answer.json()["detail"]} == {0}


class Counted:
    """An application that counts the bodies which it holds at once."""

    def __init__(self, bodies: Bodies) -> None:
        self.now = 0
        self.most = 0
        self.app = FastAPI()
        self.app.state.bodies = bodies
        self.app.post("/")(self.post)
        self.app.add_exception_handler(Unavailable, error_response)

    async def post(self, request: Request) -> None:
        async with read_body(request, Text):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.01)
            self.now -= 1

    async def send(self, *sizes: int) -> list[int]:
        """Send bodies at once; return the statuses."""
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://server") as http:
            bodies = [{"text": "x" * size} for size in sizes]
            answers = await asyncio.gather(*(http.post("/", json=body) for body in bodies))
            return [answer.status_code for answer in answers]


class Text(BaseModel):
    text: str


@pytest.mark.anyio
async def test_few_large_bodies_are_answered_at_once() -> None:
    counted = Counted(Bodies(Settings(), 2))
    assert await counted.send(*[100_000] * 20) == [200] * 20
    assert counted.most == LARGE_AT_ONCE
    assert await counted.send(*[100] * 20) == [200] * 20
    assert counted.most == 20


@pytest.mark.anyio
async def test_refuses_bodies_that_are_too_large_together() -> None:
    counted = Counted(Bodies(Settings(), 2, max_bytes=3_000_000))
    assert sorted(await counted.send(*[1_000_000] * 5)) == [200] * 2 + [503] * 3
    assert await counted.send(*[1_000_000] * 2) == [200] * 2


def test_a_body_that_arrives_while_the_server_is_busy_is_not_late(times: Published) -> None:
    app = times.app(serve_body_seconds=0.2)
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    body = b'{"instances": [{"x": 1}]}'

    @app.get("/busy")
    async def busy() -> None:
        time.sleep(0.5)  # noqa: ASYNC251  as a long computation

    with running(app) as url, ThreadPoolExecutor(1) as pool:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=20) as late:
            late.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body[:9])
            time.sleep(0.05)
            pool.submit(httpx2.get, f"{url}/busy")
            time.sleep(0.1)
            late.sendall(body[9:])
            assert late.makefile("rb").readline() == b"HTTP/1.1 200 OK\r\n"
