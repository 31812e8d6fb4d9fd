"""The services behind the routes: what they count, and what they report."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Published, ask
from servers import wait_until

from project_package.columns import Columns
from project_package.model_store import CHALLENGER


def test_unseen_values_that_cannot_be_counted_do_not_fail_a_request(times: Published) -> None:
    def unseen(*_: Columns) -> Mapping[str, int]:
        raise ValueError("x")

    times.task = replace(TIMES, unseen=unseen)
    with TestClient(times.app()) as client:
        assert ask(client, {"x": 1}).json()["predictions"] == [{"y": 1}]


def test_reports_and_logs_a_part_until_it_works_again(
    times: Published, caplog: pytest.LogCaptureFixture
) -> None:
    def is_degraded() -> bool:
        return 'degraded{part="challenger"} 1.0' in served.get("/metrics").text

    with TestClient(times.app()) as served:
        times.publish(2, CHALLENGER, answer=5)
        wait_until(is_degraded)
        assert served.get("/readyz").json()["degraded"] == ["challenger"]
        times.publish(3, CHALLENGER)
        wait_until(lambda: not is_degraded())
        assert served.get("/readyz").json()["degraded"] == []
    changes = [vars(record) for record in caplog.records if "part" in vars(record)]
    assert [change["part"] for change in changes] == ["challenger", "challenger"]
    assert "gives another answer to its example 1" in changes[0]["reason"]
    assert changes[1]["reason"] == ""
