"""Monitoring a project: from what its server answered to a reason to train."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from servers import wait_until

from project_package.errors import RetrainNeeded, UserError
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.monitoring.findings import Alarm, Findings
from project_package.monitoring.monitor import monitor, require_sound_values, watch
from project_package.monitoring.retrain import retrain
from project_package.monitoring.simulate import Stream
from project_package.prediction_log import open_log
from project_package.read_params import read_params

pytestmark = pytest.mark.system


@pytest.fixture
def stream(copy: Project, client: TestClient) -> Stream:
    return Stream(copy, client)


def send(stream: Stream, *damages: str) -> None:
    """Send days, and wait until all answers are in the log."""
    for damage in damages:
        stream.send(damage)
    log = open_log(stream.project.settings, stream.project.workspace.root)
    assert log is not None
    times = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1))
    expected = sum(day.sent for day in stream.state.days)
    wait_until(lambda: log.count_answers(*times) == expected)


def watched(stream: Stream) -> Sequence[str]:
    now = datetime.now(UTC)
    found = watch(stream.project, [(now - timedelta(days=1), now + timedelta(seconds=1))])
    return [alarm.reason for alarm in found.alarms]


def test_normal_traffic_raises_no_alarm(stream: Stream) -> None:
    send(stream, "", "")
    monitor(stream.project)
    found = json.loads((stream.project.workspace.reports / "monitor.json").read_text())
    newest = found["windows"][-1]
    assert (newest["rows"], newest["labelled"]) == (800, 400)
    assert newest["realised"][0] == pytest.approx(newest["estimated"][0], abs=0.05)
    scores = [part["score"] for part in newest["slices"]]
    assert scores == sorted(scores)
    assert scores[0] < newest["realised"][0]


def test_drift_asks_for_training(stream: Stream) -> None:
    send(stream, "shift")
    with pytest.raises(RetrainNeeded, match=r"(?s)Version 1 should be trained again:.*drift: bill"):
        monitor(stream.project)


def test_a_broken_field_asks_for_a_correction(stream: Stream) -> None:
    send(stream, "broken")
    with pytest.raises(UserError, match=r"(?s)Correct these values.*broken: bill"):
        monitor(stream.project)


def test_another_meaning_shows_when_labels_arrive(stream: Stream) -> None:
    send(stream, "concept")
    assert watched(stream) == []
    send(stream, "concept")
    assert watched(stream) == ["quality"]


def test_a_server_that_fails_is_no_reason_to_train(stream: Stream) -> None:
    send(stream, "", "")
    changes = ["monitor.metrics=http://127.0.0.1:9/metrics"]
    path = stream.project.workspace.root / "params.toml"
    params = read_params(type(stream.project.params), path, changes)
    project = replace(stream.project, params=params)
    with pytest.raises(UserError, match=r"(?s)The server needs attention:.*service: .*cannot be"):
        monitor(project)
    assert retrain(project) is None


def test_nothing_is_trained_on_skewed_values() -> None:
    alarm = Alarm(reason="skew", detail="of 400 instances ...")
    found = Findings(version="1", goal="roc_auc", windows=(), alarms=(alarm,))
    with pytest.raises(UserError, match=r"(?s)Correct these values.*skew: of 400"):
        require_sound_values(found)


def test_without_a_champion_or_a_log_there_is_nothing_to_watch(copy: Project) -> None:
    off = replace(copy, settings=copy.settings.model_copy(update={"log_url": SecretStr("off")}))
    with pytest.raises(UserError, match="LOG_URL is off"):
        monitor(off)
    copy.store.delete_alias(CHAMPION)
    with pytest.raises(UserError, match="There is no champion"):
        monitor(copy)
