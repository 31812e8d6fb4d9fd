"""Two workers are one server to those who ask."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from multiplying import Published
from prometheus_client.parser import text_string_to_metric_families as parse
from servers import wait_until

from project_package.serving import app

FACTORY = f"""
from multiplying import TIMES
from {app.__name__} import create_app, serve

def create():
    return create_app(lambda _: TIMES)

if __name__ == "__main__":
    serve("factory:create", "", 0, 2, False)
"""


@pytest.fixture
def server(times: Published, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a server of two workers."""
    (tmp_path / "factory.py").write_text(FACTORY)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "SERVE_KEYS": "off"}
    environment["MODEL_STORE"] = times.store.address
    with subprocess.Popen(
        [sys.executable, "factory.py"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def url_of(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    found = re.search(r"http://[\d.:]+", server.stdout.readline())
    assert found
    return found[0]


def workers(url: str) -> set[str]:
    """Return the prefixes of request ids, which each worker has its own of."""
    try:
        ids = [httpx.get(f"{url}/healthz").headers["x-request-id"] for _ in range(20)]
    except httpx.TransportError:
        return set()
    return {one.partition("-")[0] for one in ids}


def answered(url: str) -> float:
    page = httpx.get(f"{url}/metrics").text
    samples = [sample for family in parse(page) for sample in family.samples]
    labels = {"route": "/v1/predict", "status": "200"}
    return sum(s.value for s in samples if s.name == "requests_total" and s.labels == labels)


def test_two_workers_are_one_server_also_after_one_was_killed(
    server: "subprocess.Popen[str]",
) -> None:
    url = url_of(server)
    wait_until(lambda: len(workers(url)) == 2, seconds=60)
    before = workers(url)
    for _ in range(12):
        answer = httpx.post(f"{url}/v1/predict", json={"instances": [{"x": 3}]})
        assert answer.json()["predictions"] == [{"y": 3.0}]
    assert {answered(url) for _ in range(12)} == {12}

    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    wait_until(lambda: len(now := workers(url)) == 2 and now != before, seconds=60)
    assert {answered(url) for _ in range(12)} == {12}
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
