"""Two workers are one server to those who ask."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from multiplying import Published
from servers import Program, program, wait_until

pytestmark = pytest.mark.system
COUNT = r'requests_total\{route="/v1/predict",status="200"\} (\d+)'


def workers(url: str) -> set[str]:
    """Return the prefixes of request ids, which each worker has its own of."""
    try:
        ids = [httpx2.get(f"{url}/healthz").headers["x-request-id"] for _ in range(20)]
    except httpx2.TransportError:
        return set()
    return {one.partition("-")[0] for one in ids}


def counts(url: str) -> set[str]:
    """Return the numbers of predictions that the workers report."""
    return {re.findall(COUNT, httpx2.get(f"{url}/metrics").text)[0] for _ in range(12)}


@pytest.fixture
def server(times: Published) -> Iterator[Program]:
    with program(times, workers=2) as started:
        yield started


def test_two_workers_are_one_server_even_if_one_is_killed(server: Program) -> None:
    process, url = server
    assert httpx2.get(f"{url}/healthz", timeout=60).status_code == 200  # what was printed is true
    wait_until(lambda: len(workers(url)) == 2, seconds=60)
    before = workers(url)
    for _ in range(12):
        answer = httpx2.post(f"{url}/v1/predict", json={"instances": [{"x": 3}]})
        assert answer.json()["predictions"] == [{"y": 3.0}]
    assert counts(url) == {"12"}

    children = (
        Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
    )
    os.kill(int(children[-1]), signal.SIGKILL)
    wait_until(lambda: len(now := workers(url)) == 2 and now != before, seconds=60)
    assert counts(url) == {"12"}
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_workers_stop_when_their_parent_is_killed(server: Program) -> None:
    process, url = server
    wait_until(lambda: len(workers(url)) == 2, seconds=60)
    process.kill()
    wait_until(lambda: not workers(url), seconds=20)
