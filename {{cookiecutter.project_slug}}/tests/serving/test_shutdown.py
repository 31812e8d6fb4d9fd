"""A server ends when it is terminated, whatever hangs in it."""

import signal
import time
from contextlib import closing
from functools import partial
from hashlib import blake2b
from pathlib import Path

import httpx2
import pytest
from databases import stopped
from multiplying import Published
from servers import Program, program, wait_until

from project_package.model_store import CHALLENGER
from project_package.prediction_log import PredictionLog

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


def test_ends_while_the_database_of_the_log_hangs(times: Published, postgres: str) -> None:
    with (
        closing(PredictionLog(postgres, blake2b(b"key").digest(), 90)) as predictions,
        program(times, 1, **SETTINGS, LOG_URL=postgres, LOG_KEY="key") as server,
    ):
        assert ask(server[1], 1) == 200
        wait_until(lambda: predictions.erase("ann") == 1)
        with stopped(postgres):
            assert [ask(server[1], x) for x in (2, 3, 4)] == [200, 200, 200]
            wait_until(partial(is_degraded, server[1], "log"))
            code, log = terminated(server, times.root)
    assert code == 70
    assert '"event": "predictions are not logged", "rows": 3' in log
    assert '"part": "log"' in log


def is_degraded(url: str, part: str) -> bool:
    """Return whether a server reports a part in both ways."""
    listed = part in httpx2.get(f"{url}/readyz").json()["degraded"]
    return listed and f'degraded{{part="{part}"}} 1.0' in httpx2.get(f"{url}/metrics").text
