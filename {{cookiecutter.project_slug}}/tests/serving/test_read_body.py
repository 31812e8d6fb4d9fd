"""Bodies: limits of size and time, strict types, and errors that a client can use."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from multiplying import Published
from servers import running, wait_until

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
