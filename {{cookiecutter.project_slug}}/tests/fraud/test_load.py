"""The server under load: what is too much is refused at once, what was acknowledged is kept."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from project_package.lifecycle.project import Project
from project_package.state.base import State

CLIENTS, TURNS = 64, 5
PLACE = {"timestamp": "2018-09-30T20:15:00Z", "customer_id": "C", "terminal_id": "T"}


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("setting", "refusal"), [({"SERVE_MAX_WAITING": "2"}, 503), ({"SERVE_RATE": "20"}, 429)]
)
def test_what_is_too_much_is_refused_and_the_server_goes_on(
    started: Callable[..., Any], setting: dict[str, str], refusal: int
) -> None:
    server = started(**setting)

    def body(name: str) -> Any:
        return {"instances": [{"transaction": {"transaction_id": name, "amount": 1, **PLACE}}]}

    async def load() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(
            base_url=server.url, headers=server.headers, limits=limits, timeout=60
        ) as client:
            asks = [client.post("/v1/predict", json=body(f"P{n}")) for n in range(CLIENTS * TURNS)]
            return await asyncio.gather(*asks)

    answers = asyncio.run(load())
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, refusal}
    for answer in answers:
        assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    assert server.stop() == 0


async def feed(server: Any, number: int, known: list[Any]) -> None:
    """Send payments on one connection, one by one; `known` are those that were acknowledged."""
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, limits=limits, timeout=60
    ) as client:
        for place in count():
            payment = {"transaction_id": f"P{number}-{place}", "amount": 1, **PLACE}
            answer = await client.post("/v1/events", json={"events": [payment]})
            assert answer.json() == {"new": 1, "known": 0, "old": 0}
            known.append(payment)
            if answer.headers.get("connection") == "close":
                return


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
def test_what_was_acknowledged_before_a_server_stopped_is_in_its_state(
    started: Callable[..., Any], project: Project, tmp_path: Path
) -> None:
    server, known = started(), list[Any]()

    async def load() -> None:
        feeds = [asyncio.create_task(feed(server, n, known)) for n in range(CLIENTS)]
        while len(known) < 5 * CLIENTS:
            await asyncio.sleep(0.01)
        server.process.terminate()
        await asyncio.gather(*feeds)

    asyncio.run(load())
    assert server.process.wait(60) == 0
    memory = project.use_case.api.memory
    state = State(tmp_path / "state.db", memory)
    rows = memory.rows([memory.event.model_validate(payment) for payment in known])
    with state.transaction():
        assert not any(state.add(rows, place) for place in range(len(known)))
    state.close()


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
def test_two_workers_remember_as_one_does(started: Callable[..., Any], tmp_path: Path) -> None:
    def answers(workers: int) -> list[Any]:
        state = f"sqlite:///{tmp_path / str(workers)}.db"
        server, found = started(SERVE_WORKERS=str(workers), STATE_URL=state), []
        with server.each(workers) as clients:
            for n in range(24):
                payment = {"transaction_id": f"P{n}", **PLACE, "amount": 10 * (n % 7) + 1}
                body = {"instances": [{"transaction": payment}]}
                found.append(clients[n % workers].post("/v1/predict", json=body).json())
        assert server.stop() == 0
        return found

    assert answers(1) == answers(2)
