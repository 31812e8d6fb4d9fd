"""What a run leaves in MLflow, also when its process is killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.tracking import Tracking, commit, connect
from project_package.lifecycle.workspace import Workspace
from project_package.settings import Settings

OPEN_RUN = """
import sys
from pathlib import Path
from plain.use_case import TRAINING
from projects import open_project
with open_project(TRAINING, Path(sys.argv[1])).tracking.run("train") as run:
    print(run, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def tracking(trained: Path, clone: Callable[[Path], Project]) -> Tracking:
    """Return the tracking of a copied project, to write to."""
    return clone(trained).tracking


def status(tracking: Tracking, run: str) -> str:
    return str(tracking.client.get_run(run).info.status)


def test_run_has_parameters_data_and_commit(project: Project) -> None:
    (version,) = project.registry.versions()
    run = project.tracking.client.get_run(version.run).data
    assert run.params["train.trials"] == str(project.params.train.trials)
    assert run.tags["data"] == project.workspace.dataset().digest
    assert run.tags["commit"] == commit()
    assert {"test.auc", "tree.auc", "tree.auc.fold_0"} <= run.metrics.keys()


def test_run_has_bundle_baseline_and_evidence(project: Project) -> None:
    (version,) = project.registry.versions()
    for name in ("bundle", "baseline"):
        files = project.registry.files(version, name)
        assert {"weights.json", "params.json", "manifest.json"} <= files.keys()
    evidence = project.registry.files(version, "evidence")
    assert evidence.keys() == {"report.html", "card.md", "evaluation.json"}


def test_failing_run_is_marked_as_failed(tracking: Tracking) -> None:
    with pytest.raises(UserError), tracking.run("test") as run:
        raise UserError("no more disk")
    assert status(tracking, run) == "FAILED"


def test_killed_run_is_marked_by_the_next(tracking: Tracking) -> None:
    command = [sys.executable, "-c", OPEN_RUN, str(tracking.root)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        killed = process.stdout.readline().strip()
        with tracking.run("while it is alive"):
            assert status(tracking, killed) == "RUNNING"
        process.send_signal(signal.SIGKILL)
    with tracking.run("after it was killed"):
        assert status(tracking, killed) == "KILLED"
    assert not list(tracking.root.glob(".lock-*"))


def test_unreachable_server_is_named_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(UserError) as refusal:
        connect(Settings(mlflow_tracking_uri=address), Workspace(tmp_path), "demo")
    assert str(refusal.value).startswith(f"MLflow at {address} cannot be used: ")
    assert "\n" not in str(refusal.value)


def test_folder_outside_a_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""
