"""What /metrics tells: of requests, of the model, of the signals."""

import re
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from project_package.serving.door import Door, Limits
from project_package.serving.follower import Follower
from project_package.serving.metrics import EDGES, Metrics
from project_package.serving.shadow import Shadow
from project_package.model_store import CHAMPION, Store


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    """Watch a follower of an empty store."""
    follower = Follower(cast(Any, None), Store(str(tmp_path)), CHAMPION)
    return Metrics([follower], Door(None, Limits(), inside=3), lambda: 4096, str, Shadow(follower))


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """Give the number of that name and labels, as Prometheus reads it."""
    samples = [s for family in parse(metrics.text().decode()) for s in family.samples]
    return next(s.value for s in samples if s.name == name and s.labels == labels)


def test_requests_are_counted_and_timed(metrics: Metrics) -> None:
    for status, seconds in ((200, 0.0001), (200, 0.02), (503, 99.0)):
        metrics.count("/v1/predict", status, seconds)
    assert value(metrics, "requests_total", route="/v1/predict", status="200") == 2
    assert value(metrics, "requests_total", route="/v1/predict", status="503") == 1
    buckets = {"0.0005": 1, "0.01": 1, "0.025": 2, "10": 2, "+Inf": 3}
    for end, count in buckets.items():
        assert value(metrics, "request_seconds_bucket", route="/v1/predict", le=end) == count
    assert value(metrics, "request_seconds_sum", route="/v1/predict") == pytest.approx(99.0201)


def test_what_is_amiss_can_be_seen(metrics: Metrics) -> None:
    assert value(metrics, "degraded", what="champion refused") == 1  # there is no champion
    assert value(metrics, "degraded", what="store unreachable") == 0
    assert value(metrics, "model_refusals_total", alias="champion") == 1
    assert value(metrics, "requests_inside") == 3
    assert value(metrics, "state_bytes") == 4096
    metrics.refused["rate"] += 2
    assert value(metrics, "refused_total", reason="rate") == 2


def test_signals_are_counted_by_version_and_name(metrics: Metrics) -> None:
    values = np.append(np.random.default_rng(7).lognormal(size=1000 - len(EDGES)), EDGES)
    for part in np.split(values, 4):
        metrics.observe("2", {"score": part})
    for end in EDGES:
        count = value(metrics, "signal_value_bucket", version="2", signal="score", le=f"{end:g}")
        assert count == (values <= end).sum()
    assert value(metrics, "signal_value_sum", version="2", signal="score") == pytest.approx(
        values.sum()
    )


def test_the_page_names_every_number(metrics: Metrics) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    names = re.findall(r"^# HELP (\S+)", metrics.text().decode(), re.MULTILINE)
    assert len(names) > 10
    assert not [name for name in names if f"`{name}`" not in page]


def test_two_applications_share_nothing(metrics: Metrics) -> None:
    other = Metrics(metrics.followers, metrics.door, lambda: 0, str, metrics.shadow)
    other.count("/v1/predict", 200, 0.1)
    assert b'route="/v1/predict"' not in metrics.text()
