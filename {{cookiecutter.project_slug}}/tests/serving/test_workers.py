"""A server of two processes: it is one to those who ask."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from project_package.lifecycle.project import Project
from project_package.serving.workers import KILLS, added_up

PAGE = """\
# HELP requests_total Answers
# TYPE requests_total counter
requests_total{{route="/{route}"}} {number}
# HELP requests_inside Requests at work now
# TYPE requests_inside gauge
requests_inside {number}
# HELP state_bytes Size
# TYPE state_bytes gauge
state_bytes {number}
"""


@pytest.fixture
def server(started: Callable[..., Any]) -> Any:
    return started(SERVE_WORKERS="2")


@pytest.fixture
def each(server: Any) -> Iterator[list[httpx.Client]]:
    with server.each(2) as clients:
        yield clients


def workers(server: Any) -> set[int]:
    """Give the processes of a server, beside that which started them."""
    command = ["ps", "-A", "-o", "pid=,ppid="]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = [map(int, line.split()) for line in told.splitlines()]
    return {pid for pid, parent in pairs if parent == server.process.pid}


def value(page: str, name: str, **labels: str) -> float:
    """Give the number of that name and labels, as Prometheus reads it; 0 when there is none."""
    samples = [sample for family in parse(page) for sample in family.samples]
    return next((s.value for s in samples if s.name == name and s.labels == labels), 0)


def answered(client: httpx.Client, route: str) -> float:
    page = client.get("/metrics").text
    return value(page, "requests_total", route=route, status="200")


def test_whoever_is_asked_tells_the_numbers_of_all(each: Any, until: Any) -> None:
    for client, count in zip(each, (7, 5), strict=True):
        for _ in range(count):
            client.get("/readyz")
    for client in each:
        until(lambda client=client: answered(client, "/readyz") == 12)


def test_a_worker_that_is_killed_comes_back_and_no_counter_falls(
    server: Any, each: Any, until: Any
) -> None:
    for client in each:
        client.get("/readyz")
    until(lambda: all(answered(client, "/readyz") == 2 for client in each))
    before = workers(server)
    os.kill(min(before), signal.SIGKILL)
    for _ in range(20):  # each on a connection of its own
        assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 200
    until(lambda: len(workers(server)) == 2 and workers(server) != before)
    with server.each(2) as clients:
        for client in clients:
            until(lambda client=client: answered(client, "/readyz") == 22)
    assert "a worker was killed" in server.stderr.read_text()
    assert server.stop() == 0


def test_workers_end_when_their_parent_is_killed(server: Any, each: Any, until: Any) -> None:
    assert each[0].get("/healthz").status_code == 200
    left = workers(server)
    server.process.kill()
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in left))


def test_workers_end_whose_parent_was_killed_before_they_worked(
    started: Callable[..., Any], until: Any
) -> None:
    server = started(SERVE_WORKERS="2")
    until(lambda: workers(server))
    left = workers(server)
    server.process.kill()
    until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in left))


def test_workers_that_are_killed_again_and_again_end_the_server(server: Any) -> None:
    while server.process.poll() is None:
        for pid in workers(server):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert server.process.returncode == 2
    said = server.stderr.read_text()
    assert (said.count("a worker was killed") >= KILLS, "A worker cannot work" in said) == (1, 1)


def test_a_start_that_cannot_succeed_ends_with_one_error(project: Project, tmp_path: Path) -> None:
    package, name = Project.__module__.partition(".")[0], project.use_case.api.name
    command = [sys.executable, "-m", f"{package}.{name}", "serve", "--workers", "2"]
    (tmp_path / "state.db").write_text("no database at all")
    env = os.environ | {"SERVE_KEYS": "off", "SERVE_PORT": "0"}
    done = subprocess.run(
        command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("cannot be opened") == 1
    assert not re.search("Traceback|is served", done.stderr + done.stdout)


def test_a_worker_that_cannot_start_anew_ends_the_server(
    server: Any, each: Any, tmp_path: Path
) -> None:
    assert each[0].get("/healthz").status_code == 200
    for path in tmp_path.glob("state.db*"):
        path.unlink()
    (tmp_path / "state.db").write_text("no database at all")
    os.kill(min(workers(server)), signal.SIGKILL)
    assert server.process.wait(60) == 2
    said = server.stderr.read_text()
    assert said.count("cannot be opened") == said.count("A worker cannot work") == 1


def test_counters_are_added_up_and_of_most_gauges_the_largest_counts() -> None:
    pages = [PAGE.format(route=route, number=n) for route, n in (("a", 1), ("b", 2), ("a", 4))]
    page = added_up(pages[:2], pages[2])
    assert value(page, "requests_total", route="/a") == 5
    assert value(page, "requests_total", route="/b") == 2
    assert value(page, "requests_inside") == 3  # the third has ended
    assert value(page, "state_bytes") == 2
    assert page.count("# TYPE requests_total") == 1
    odd = PAGE.format(route="a\x0b# HELP \u2028b", number=1)
    assert value(added_up([odd, odd]), "requests_total", route="/a\x0b# HELP \u2028b") == 2
    assert page.index('"/b"') < page.index("requests_inside")
