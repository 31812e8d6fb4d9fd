"""The server under load: it refuses what is too much, and keeps what it acknowledged."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fraud.payments import payment

from project_package.columns import to_rows
from project_package.fraud.schemas import PastPayment
from project_package.fraud.task import HISTORY
from project_package.state.sqlite import SqliteStore

CLIENTS = 64
REQUESTS = 320
FRAUD = pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")


def sent(name: str) -> dict[str, Any]:
    """Return a payment as JSON."""
    return payment(name, timestamp="2018-09-30T20:15:00Z")


def client(server: Any, connections: int) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=connections)
    return httpx2.AsyncClient(
        base_url=server.url, headers=server.headers, limits=limits, timeout=60
    )


@FRAUD
def test_refuses_too_many_requests_and_goes_on(started: Callable[..., Any]) -> None:
    server = started(SERVE_MAX_IN_FLIGHT="2")

    async def load() -> list[httpx2.Response]:
        async with client(server, CLIENTS) as http:
            bodies = ({"instances": [{"transaction": sent(f"P{n}")}]} for n in range(REQUESTS))
            return await asyncio.gather(*(http.post("/v1/predict", json=b) for b in bodies))

    answers = asyncio.run(load())
    assert set(Counter(answer.status_code for answer in answers)) == {200, 503}
    for answer in answers:
        assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1
    assert httpx2.get(f"{server.url}/readyz").status_code == 200
    assert server.stop() == 0


async def send(server: Any, number: int, acknowledged: list[Any]) -> None:
    """Send events one by one on a connection of its own, until the server stops."""
    async with client(server, 1) as http:
        for index in count():
            event = sent(f"P{number}-{index}")
            try:
                answer = await http.post("/v1/events", json={"events": [event]})
            except httpx2.TransportError:
                return
            assert answer.status_code in (200, 503), answer.text
            if answer.status_code == 200:
                acknowledged.append(event)


@FRAUD
@pytest.mark.parametrize("stop", ["terminate", "kill"])
def test_acknowledged_events_survive_the_server(
    started: Callable[..., Any], tmp_path: Path, stop: str
) -> None:
    server = started()
    acknowledged = list[Any]()

    async def load() -> None:
        senders = [asyncio.create_task(send(server, n, acknowledged)) for n in range(CLIENTS)]
        while len(acknowledged) < 5 * CLIENTS:
            assert not any(sender.done() for sender in senders), "an event was refused"
            await asyncio.sleep(0.01)
        getattr(server.process, stop)()
        await asyncio.gather(*senders)

    asyncio.run(load())
    server.process.wait(60)
    store = SqliteStore(tmp_path / "state.db", HISTORY)
    rows = to_rows([PastPayment.model_validate(event) for event in acknowledged])
    with store.transaction():
        assert not any(store.add(rows))
    store.close()
