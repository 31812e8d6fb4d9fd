"""A server ends when it is terminated, whatever hangs in it."""

import signal
import time
from pathlib import Path

import httpx2
import pytest
from multiplying import Published
from servers import Program, program, wait_until

from project_package.model_store import CHALLENGER

pytestmark = pytest.mark.system
SETTINGS = {"SERVE_ANSWER_SECONDS": "1", "SERVE_POLL_SECONDS": "0.1"}


def ask(url: str, x: float) -> int:
    """Return the status of the answer to x."""
    body = {"instances": [{"x": x}]}
    return httpx2.post(f"{url}/v1/predict", json=body, timeout=60).status_code


def terminated(server: Program, root: Path) -> tuple[int, str]:
    """Terminate a server; return its exit code and its log."""
    server[0].send_signal(signal.SIGTERM)
    return server[0].wait(30), (root / "stderr").read_text(encoding="utf-8")


def test_ends_while_the_model_hangs(times: Published) -> None:
    times.publish(2, seconds=0.01, hangs_at=100)  # slow enough for a thread
    with program(times, 1, **SETTINGS) as server:
        assert [ask(server[1], x) for x in (99, 101)] == [200, 503]
        code, log = terminated(server, times.root)
    assert code == 70
    assert '"part": "model"' in log


@pytest.mark.parametrize(("workers", "code"), [(1, 70), (2, 0)])
def test_ends_while_the_challenger_hangs(times: Published, workers: int, code: int) -> None:
    times.publish(2, CHALLENGER, hangs_at=100)
    with program(times, workers, **SETTINGS) as server:
        wait_until(lambda: ask(server[1], 101) == 200)
        ended, log = terminated(server, times.root)
    assert ended == code
    assert '"part": "shadow"' in log


def test_ends_while_a_new_version_hangs(times: Published) -> None:
    with program(times, 1, **SETTINGS) as server:
        times.publish(2, hangs_at=1)
        time.sleep(1)  # ten polls
        assert ask(server[1], 101) == 200
        code, log = terminated(server, times.root)
    assert code == 70
    assert '"part": "polls"' in log
