"""The server's metrics become shares of failed and slow requests."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from project_package.lifecycle.project import Project
from project_package.monitoring import service
from project_package.monitoring.alarms import server_alarms
from project_package.monitoring.service import Service, parse
from project_package.params import Monitor

PAGE = """\
# TYPE requests counter
requests_total{route="/v1/predict",status="200"} 90.0
requests_total{route="/v1/predict",status="422"} 8.0
requests_total{route="/v1/labels",status="503"} 2.0
requests_total{route="/healthz",status="200"} 9000.0
# TYPE request_seconds histogram
request_seconds_bucket{le="0.1",route="/healthz"} 9000.0
request_seconds_bucket{le="+Inf",route="/healthz"} 9000.0
request_seconds_bucket{le="0.05",route="/v1/predict"} 60.0
request_seconds_bucket{le="0.1",route="/v1/predict"} 88.0
request_seconds_bucket{le="+Inf",route="/v1/predict"} 98.0
request_seconds_bucket{le="0.05",route="/v1/labels"} 0.0
request_seconds_bucket{le="0.1",route="/v1/labels"} 2.0
request_seconds_bucket{le="+Inf",route="/v1/labels"} 2.0
"""


def test_counts_are_those_of_all_routes_but_probes() -> None:
    assert parse(PAGE, Monitor()) == Service(requests=100, failed=2, slow=10)
    assert parse(PAGE, Monitor(slow_seconds=0.04)).slow == 40
    assert parse(PAGE, Monitor(slow_seconds=60)).slow == 0


@pytest.mark.parametrize("text", ["", "requests_total 5\n", "<html>"])
def test_another_page_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not the metrics|invalid|expected|Invalid|could not"):
        parse(text, Monitor())


def test_only_requests_since_the_last_time_count() -> None:
    before = Service(requests=1_000, failed=900, slow=0)
    now = Service(requests=1_500, failed=901, slow=10)
    assert now.since(before) == Service(requests=500, failed=1, slow=10)
    assert now.since(None) == now
    restarted = Service(requests=10, failed=1, slow=0)
    assert restarted.since(before) == restarted


def test_failures_and_slow_answers_raise_an_alarm() -> None:
    counted = Service(requests=1_000, failed=20, slow=100)
    (alarm,) = server_alarms(None, counted, Monitor())
    assert alarm.detail == "of 1,000 requests, 2.00% failed and 10.00% were slow"
    assert not alarm.retrain
    assert server_alarms(None, counted, Monitor(failed=0.02, slow=0.1)) == []
    assert server_alarms(None, counted, Monitor(min_rows=1_001)) == []  # too few to judge


@pytest.mark.system
def test_a_server_is_asked(
    copy: Project, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.post("/v1/predict", json={"instances": []})
    monkeypatch.setattr("httpx2.get", lambda url, headers, timeout: client.get(url))  # noqa: ARG005
    asked = with_address(copy, "http://testserver/metrics")
    found = service.read_service(asked)
    assert found == Service(requests=1, failed=0, slow=0)


@pytest.mark.system
def test_a_server_that_does_not_answer_is_an_alarm(copy: Project) -> None:
    found = service.read_service(with_address(copy, "http://127.0.0.1:9/metrics"))
    (alarm,) = server_alarms(None, found, Monitor())
    assert alarm.detail.startswith("http://127.0.0.1:9/metrics cannot be read: ")


def with_address(project: Project, url: str) -> Project:
    monitor = project.params.monitor.model_copy(update={"metrics": url})
    params = project.params.model_copy(update={"monitor": monitor})
    return replace(project, params=params)
