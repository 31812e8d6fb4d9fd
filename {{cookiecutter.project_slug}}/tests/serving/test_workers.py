"""Two workers are one server to those who ask."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from multiplying import Published
from servers import wait_until

from project_package.serving import app

pytestmark = pytest.mark.system
FACTORY = f"""
from multiplying import TIMES
from {app.__name__} import create_app, serve

def create():
    return create_app(lambda _: TIMES)

if __name__ == "__main__":
    serve("factory:create", "", 0, 2, False)
"""
COUNT = r'requests_total\{route="/v1/predict",status="200"\} (\d+)'


@pytest.fixture
def server(times: Published, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a server of two workers."""
    (tmp_path / "factory.py").write_text(FACTORY)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "SERVE_KEYS": "off"}
    environment |= {"MODEL_STORE": times.store.address, "LOG_URL": "off"}
    with subprocess.Popen(
        [sys.executable, "factory.py"],
        cwd=tmp_path,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        yield process
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


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


def test_two_workers_are_one_server_even_if_one_is_killed(
    server: "subprocess.Popen[str]",
) -> None:
    assert server.stdout is not None
    url = re.findall(r"http://[\d.:]+", server.stdout.readline())[0]
    assert httpx2.get(f"{url}/healthz", timeout=60).status_code == 200  # what was printed is true
    wait_until(lambda: len(workers(url)) == 2, seconds=60)
    before = workers(url)
    for _ in range(12):
        answer = httpx2.post(f"{url}/v1/predict", json={"instances": [{"x": 3}]})
        assert answer.json()["predictions"] == [{"y": 3.0}]
    assert counts(url) == {"12"}

    children = (
        Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="utf-8").split()
    )
    os.kill(int(children[-1]), signal.SIGKILL)
    wait_until(lambda: len(now := workers(url)) == 2 and now != before, seconds=60)
    assert counts(url) == {"12"}
    server.send_signal(signal.SIGTERM)
    assert server.wait(60) == 0
