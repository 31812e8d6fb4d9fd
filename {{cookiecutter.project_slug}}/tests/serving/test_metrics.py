"""The metrics page: of one process, and of several workers."""

import os
import re
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse

from project_package.serving.metrics import FOLDER, Metrics

WORK = """
from {module} import Metrics
metrics = Metrics()
metrics.requests.labels("/v1/predict", 200).inc({count})
metrics.in_flight.set({count})
metrics.state_bytes.set({count})
print(metrics.page().decode())
"""


def value(page: str, name: str, **labels: str) -> float:
    """Return a number of the page, as Prometheus reads it."""
    samples = [sample for family in parse(page) for sample in family.samples]
    return next(s.value for s in samples if s.name == name and s.labels == labels)


def work(folder: Path, setting: str, count: int) -> str:
    """Count requests in a process of its own; return its page."""
    code = WORK.format(module=Metrics.__module__, count=count)
    environment = os.environ | {FOLDER: setting, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_page_has_counters_histograms_and_gauges() -> None:
    metrics = Metrics()
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


def test_two_applications_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.requests.labels("/v1/predict", 200).inc()
    assert b'route="/v1/predict"' not in other.page()


def test_page_of_a_worker_sums_all_and_drops_gauges_of_the_dead(tmp_path: Path) -> None:
    assert value(work(tmp_path, str(tmp_path), 3), "requests_in_flight") == 3
    page = work(tmp_path, str(tmp_path), 2)
    assert value(page, "requests_total", route="/v1/predict", status="200") == 5
    assert value(page, "requests_in_flight") == 2
    assert value(page, "state_bytes") == 2


def test_an_empty_folder_setting_means_one_process(tmp_path: Path) -> None:
    assert value(work(tmp_path, "", 3), "requests_in_flight") == 3
    assert list(tmp_path.iterdir()) == []


def test_docs_name_every_metric() -> None:
    document = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    names = re.findall(r"^# HELP (\S+)", Metrics().page().decode(), re.MULTILINE)
    ours = [name for name in names if not re.search("^process_|_created$", name)]
    assert len(ours) > 10
    assert not [name for name in ours if f"`{name}`" not in document]
