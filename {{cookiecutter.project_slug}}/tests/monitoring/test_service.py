"""The server's metrics become shares of failed and slow requests."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from project_package.lifecycle.project import Project
from project_package.monitoring import service
from project_package.monitoring.alarms import repair_alarms
from project_package.monitoring.service import Service, parse
from project_package.params import Monitor

PAGE = """\
# TYPE requests counter
requests_total{route="/v1/predict",status="200"} 90.0
requests_total{route="/v1/predict",status="422"} 8.0
requests_total{route="/v1/labels",status="503"} 2.0
# TYPE request_seconds histogram
request_seconds_bucket{le="0.05",route="/v1/predict"} 60.0
request_seconds_bucket{le="0.1",route="/v1/predict"} 88.0
request_seconds_bucket{le="+Inf",route="/v1/predict"} 98.0
request_seconds_bucket{le="0.05",route="/v1/labels"} 0.0
request_seconds_bucket{le="0.1",route="/v1/labels"} 2.0
request_seconds_bucket{le="+Inf",route="/v1/labels"} 2.0
"""


def test_shares_are_those_of_all_routes() -> None:
    assert parse(PAGE, Monitor()) == Service(requests=100, failed=0.02, slow=0.1)
    assert parse(PAGE, Monitor(slow_seconds=0.04)).slow == pytest.approx(0.4)
    assert parse(PAGE, Monitor(slow_seconds=60)).slow == 0


def test_failures_and_slow_answers_raise_alarms() -> None:
    found = parse(PAGE, Monitor())
    details = [alarm.detail for alarm in repair_alarms(None, found, Monitor())]
    assert details == ["2.00% of 100 requests failed", "10.0% of the answers took more than 0.1 s"]
    assert not any(alarm.retrain for alarm in repair_alarms(None, found, Monitor()))
    assert repair_alarms(None, found, Monitor(failed=0.02, slow=0.1)) == []


@pytest.mark.system
def test_a_server_is_asked(
    copy: Project, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/v1/predict", json={"instances": []})
    monkeypatch.setattr("httpx2.get", lambda url, headers, timeout: client.get(url))  # noqa: ARG005
    asked = with_address(copy, "http://testserver/metrics")
    found = service.read_service(asked)
    assert found is not None
    assert (found.requests, found.failed, found.error) == (1, 0, "")


@pytest.mark.system
def test_a_server_that_does_not_answer_is_an_alarm(copy: Project) -> None:
    found = service.read_service(with_address(copy, "http://127.0.0.1:9/metrics"))
    (alarm,) = repair_alarms(None, found, Monitor())
    assert alarm.detail.startswith("http://127.0.0.1:9/metrics: ")


def with_address(project: Project, url: str) -> Project:
    monitor = project.params.monitor.model_copy(update={"metrics": url})
    params = project.params.model_copy(update={"monitor": monitor})
    return replace(project, params=params)
