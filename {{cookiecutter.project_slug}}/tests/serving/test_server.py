"""A server that is told to stop amid many requests answers each; one that nobody asks lets go."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from project_package.bundle import EXAMPLES
from project_package.lifecycle.project import Project
from project_package.model_store import BUNDLE

CLIENTS = 16


@pytest.fixture
def example(project: Project) -> dict[str, Any]:
    pairs = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])
    request: dict[str, Any] = pairs[0]["request"]
    return request


async def ask(url: str, body: Any, headers: dict[str, str], found: list[httpx.Response]) -> None:
    """Ask again and again on one connection, until an answer says that it is the last."""
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits, timeout=60, headers=headers) as client:
        while not found or found[-1].headers.get("connection") != "close":
            found.append(await client.post(f"{url}/v1/predict", json=body))


@pytest.mark.parametrize("first", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_head_that_does_not_arrive_ends_its_connection(
    started: Callable[..., Any], first: bytes
) -> None:
    server = started(SERVE_BODY_SECONDS="1")
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=30) as slow:
        slow.sendall(first + b"GET /healthz HTTP/1.1\r\nHost: ")
        assert slow.makefile("rb").read().count(b"HTTP/1.1 200") == (first != b"")
    assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_accepted_is_answered_and_it_ends_well(
    started: Callable[..., Any], example: dict[str, Any], workers: str
) -> None:
    server = started(SERVE_WORKERS=workers)
    found: list[list[httpx.Response]] = [[] for _ in range(CLIENTS)]

    async def load() -> None:
        body = {"instances": [example]}
        asks = [ask(server.url, body, server.headers, each) for each in found]
        tasks = [asyncio.create_task(one) for one in asks]
        while min(map(len, found)) < 5:
            await asyncio.sleep(0.01)
        server.process.terminate()
        await asyncio.gather(*tasks)

    asyncio.run(load())
    assert server.process.wait(60) == 0
    assert all(answer.status_code == 200 for each in found for answer in each)
    assert "Traceback" not in server.stderr.read_text()
