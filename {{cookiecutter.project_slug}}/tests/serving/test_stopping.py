"""A server that is told to stop, in the middle of many requests: each is answered, and it ends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from project_package.bundle import EXAMPLES
from project_package.lifecycle.project import Project
from project_package.store import BUNDLE

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
