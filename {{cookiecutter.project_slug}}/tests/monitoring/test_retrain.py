"""Retraining: only with a reason, one at a time, and whatever happens there is a champion."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from filelock import FileLock
from plain import use_case
from plain.use_case import make_customers
from projects import open_project
from servers import wait_until

from project_package.errors import GateRefused, RetrainNeeded, UserError
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.monitoring.retrain import LOCK, retrain
from project_package.monitoring.simulate import Stream
from project_package.prediction_log import open_log

pytestmark = pytest.mark.system


def champion(project: Project) -> int:
    """Return the version that servers load, verified."""
    return project.store.load(CHAMPION)[0]


def attempt(project: Project) -> Any:
    return json.loads((project.workspace.reports / "retrain.json").read_text())


def wait_for_log(project: Project, answers: int) -> None:
    """Wait until so many answers are in the log."""
    log = open_log(project.settings, project.workspace.root)
    assert log is not None
    times = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1))
    wait_until(lambda: log.count_answers(*times) == answers)


@pytest.fixture
def changed(copy: Project, client: TestClient) -> Project:
    """Return a project whose labels say the opposite of before, also in its source."""
    stream = Stream(copy, client)
    for _ in range(2):
        stream.send("concept")
    wait_for_log(copy, 800)
    source = make_customers(np.random.default_rng(3), 900)
    source.with_columns(~source["left"]).write_csv(copy.workspace.root / "customers.csv")
    params = copy.workspace.root / "params.toml"
    path = copy.workspace.root / "customers.csv"
    lines = params.read_text().splitlines()
    params.write_text("\n".join(f'csv = "{path}"' if "csv" in line else line for line in lines))
    return copy


def reopened(project: Project) -> Project:
    return open_project(use_case, project.workspace.root)


def set_promote(project: Project, line: str) -> None:
    """Add a line to the section [promote] of the project's parameters."""
    params = project.workspace.root / "params.toml"
    params.write_text(params.read_text().replace("[promote]", f"[promote]\n{line}"))


def test_without_a_reason_nothing_is_trained(copy: Project, client: TestClient) -> None:
    Stream(copy, client).send()
    assert retrain(copy) is None
    assert champion(copy) == 1
    assert not (copy.workspace.reports / "retrain.json").exists()


def test_a_better_model_is_promoted(changed: Project) -> None:
    done = retrain(reopened(changed))
    assert done is not None
    assert (done.champion, done.version, done.outcome) == ("1", 2, "promoted")
    assert done.reasons[0].startswith("quality: ")
    assert champion(changed) == 2
    assert retrain(reopened(changed)) is None  # the new champion has no window yet


def test_a_model_that_is_no_better_is_refused(changed: Project) -> None:
    set_promote(changed, "worst = { roc_auc = 1.0 }")
    with pytest.raises(GateRefused):
        retrain(reopened(changed))
    assert champion(changed) == 1
    assert "worst roc_auc" in attempt(changed)["outcome"]


def test_the_data_of_a_refused_attempt_are_not_tried_again(changed: Project) -> None:
    set_promote(changed, "worst = { roc_auc = 1.0 }")
    with pytest.raises(GateRefused):
        retrain(reopened(changed))
    refused = attempt(changed)
    for _ in range(2):
        with pytest.raises(RetrainNeeded, match="The source has no other rows"):
            retrain(reopened(changed))
        assert attempt(changed)["data"] == refused["data"]
        assert attempt(changed)["version"] is None


def test_the_data_of_the_champion_are_not_tried_again(copy: Project, client: TestClient) -> None:
    stream = Stream(copy, client)
    stream.send("shift")
    wait_for_log(copy, 400)
    with pytest.raises(RetrainNeeded, match="The source has no other rows"):
        retrain(copy)
    assert attempt(copy)["outcome"].startswith("The source has no other rows")
    assert champion(copy) == 1


def test_nothing_is_trained_on_broken_values(copy: Project, client: TestClient) -> None:
    stream = Stream(copy, client)
    stream.send("broken")
    wait_for_log(copy, 400)
    with pytest.raises(UserError, match="Correct these values"):
        retrain(copy)
    assert champion(copy) == 1


def test_an_attempt_about_another_champion_is_not_continued(changed: Project) -> None:
    path = changed.workspace.reports / "retrain.json"
    old = {"champion": "9", "reasons": ["age: x"], "started": "2026-01-01T00:00:00Z"}
    path.write_text(json.dumps(old))
    done = retrain(reopened(changed))
    assert done is not None
    assert done.champion == "1"
    assert done.reasons[0].startswith("quality: ")


def test_an_attempt_that_fails_is_closed(changed: Project) -> None:
    params = changed.workspace.root / "params.toml"
    more = "[promote]\nmin_parity_rows = 100_000"
    params.write_text(params.read_text().replace("[promote]\nmin_parity_rows = 500", more))
    with pytest.raises(UserError, match="100,000"):
        retrain(reopened(changed))
    assert "100,000" in attempt(changed)["outcome"]
    assert champion(changed) == 1


def test_another_retraining_is_refused(copy: Project) -> None:
    with FileLock(copy.workspace.root / LOCK):
        (copy.workspace.root / ".retrain.owner").write_text("process 7")
        with pytest.raises(UserError, match="Another retraining runs, process 7"):
            retrain(copy)


def test_a_retraining_that_was_killed_continues(changed: Project) -> None:
    path = changed.workspace.reports / "retrain.json"
    started = {"champion": "1", "reasons": ["quality: x"], "started": "2026-01-01T00:00:00Z"}
    path.write_text(json.dumps(started))
    done = retrain(reopened(changed))
    assert done is not None
    assert (done.reasons, done.outcome) == (("quality: x",), "promoted")


@pytest.mark.slow
def test_there_is_a_champion_after_each_of_ten_kills(changed: Project) -> None:
    random = np.random.default_rng(0)
    command = [sys.executable, "-m", "plain.entry_point", "retrain", "--quiet"]
    own = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "MODEL_STORE": "store"}
    root: Path = changed.workspace.root
    begin = time.monotonic()
    subprocess.run([*command[:-2], "models"], cwd=root, env=own, check=True)
    start = time.monotonic() - begin
    for _ in range(10):
        with subprocess.Popen(command, cwd=root, env=own) as process:
            time.sleep(start + random.uniform(0, 2 * start))
            process.send_signal(signal.SIGKILL)
        assert champion(changed) >= 1
    subprocess.run(command, cwd=root, env=own, check=True)
    assert champion(changed) > 1
