"""A server that is told to stop, in the middle of many requests: each is answered, and it ends."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from project_package.bundle import EXAMPLES
from project_package.contract import Api
from project_package.lifecycle.project import Project
from project_package.state import State
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


def test_what_was_accepted_is_answered_and_it_ends_well(
    started: Callable[..., Any], example: dict[str, Any]
) -> None:
    server = started()
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


async def feed(url: str, bodies: list[Any], headers: dict[str, str]) -> list[int]:
    """Send events one after the other on one connection; give how many each answer calls new."""
    new = list[int]()
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits, timeout=60, headers=headers) as client:
        for body in bodies:
            answer = await client.post(f"{url}/v1/events", json={"events": [body]})
            assert answer.status_code == 200
            new.append(answer.json()["new"])
            if answer.headers.get("connection") == "close":
                break
    return new


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
def test_what_was_acknowledged_is_in_the_state(
    started: Callable[..., Any], project: Project, tmp_path: Path
) -> None:
    server, api = started(), project.use_case.api

    def events(client: int) -> list[Any]:
        payment = {"timestamp": "2018-09-30T20:15:00Z", "customer_id": "C", "terminal_id": "T"}
        names = [f"P{client}-{number}" for number in range(5_000)]
        return [{"transaction_id": name, "amount": 1, **payment} for name in names]

    async def load() -> list[list[int]]:
        feeds = [feed(server.url, events(number), server.headers) for number in range(CLIENTS)]
        tasks = [asyncio.create_task(one) for one in feeds]
        await asyncio.sleep(1)
        server.process.terminate()
        return await asyncio.gather(*tasks)

    acknowledged = asyncio.run(load())
    assert server.process.wait(60) == 0
    assert _remembered(tmp_path, api, [events(n)[: len(a)] for n, a in enumerate(acknowledged)])


def _remembered(folder: Path, api: Api[Any, Any, Any], sent: list[list[Any]]) -> bool:
    """Tell whether all of these events are in the state."""
    state = State(folder / "state.db", api.memory)
    parsed = [api.memory.event.model_validate(event) for each in sent for event in each]
    rows = api.memory.rows(parsed)
    with state.transaction():
        known = [not state.add(rows, place) for place in range(len(parsed))]
    state.close()
    return len(known) > CLIENTS and all(known)
