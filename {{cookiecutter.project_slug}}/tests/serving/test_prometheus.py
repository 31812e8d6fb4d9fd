"""The metrics page: of one process, and of several workers."""

import os
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from project_package.serving.prometheus import FOLDER, Metrics

WORK = f"""
from {Metrics.__module__} import Metrics
metrics = Metrics()
metrics.requests.labels("/v1/predict", 200).inc(3)
metrics.in_flight.set(3)
metrics.degraded.labels("log").set(1)
print(metrics.page().decode())
"""


def value(page: str, name: str, **labels: str) -> float:
    """Return a number of the page, as Prometheus reads it."""
    samples = [sample for family in parse(page) for sample in family.samples]
    return next(s.value for s in samples if s.name == name and s.labels == labels)


def work(folder: Path, setting: str) -> str:
    """Count 3 requests in a process of its own; return its page."""
    environment = os.environ | {FOLDER: setting, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WORK]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return done.stdout.decode()


def test_page_has_counters_histograms_and_gauges() -> None:
    metrics = Metrics()
    other = Metrics()
    metrics.requests.labels("/v1/predict", 200).inc()
    for seconds in (0.0001, 0.02, 99.0):
        metrics.request_seconds.labels("/v1/predict").observe(seconds)
    metrics.degraded.labels("state").set(True)
    page = metrics.page().decode()
    assert value(page, "requests_total", route="/v1/predict", status="200") == 1
    for end, count in {"0.0005": 1, "0.025": 2, "10.0": 2, "+Inf": 3}.items():
        assert value(page, "request_seconds_bucket", route="/v1/predict", le=end) == count
    assert value(page, "degraded", part="state") == 1
    assert value(page, "process_open_fds") > 0
    assert b"/v1/predict" not in other.page()


def test_workers_share_counters_without_gauges_of_the_dead(tmp_path: Path) -> None:
    for workers in (1, 2):
        page = work(tmp_path, str(tmp_path))
        assert value(page, "requests_total", route="/v1/predict", status="200") == 3 * workers
        assert value(page, "requests_in_flight") == 3
        assert value(page, "degraded", part="log") == 1


def test_an_empty_folder_setting_means_one_process(tmp_path: Path) -> None:
    assert value(work(tmp_path, ""), "requests_in_flight") == 3
    assert list(tmp_path.iterdir()) == []


def test_docs_name_every_metric() -> None:
    document = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    names = re.findall(r"^# HELP (\S+)", Metrics().page().decode(), re.MULTILINE)
    ours = [name for name in names if not re.search("^process_|_created$", name)]
    assert len(ours) > 10
    assert not [name for name in ours if f"`{name}`" not in document]
