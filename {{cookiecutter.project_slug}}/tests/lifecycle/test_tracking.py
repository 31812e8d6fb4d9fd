"""What a run leaves in MLflow, and what is said when MLflow cannot be reached."""

import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.lifecycle.tracking import Tracking, commit, connect
from project_package.lifecycle.workspace import Workspace
from project_package.settings import Settings


def own(address: str) -> Settings:
    return Settings(mlflow_tracking_uri=address, optuna_storage="", model_store="store")


@pytest.fixture
def tracking(trained: Path, clone: Callable[[Path], Project]) -> Tracking:
    """Give the tracking of a trained project's copy, to write to."""
    return clone(trained).tracking


def test_a_server_that_cannot_be_reached_is_named_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(UserError) as refusal:
        connect(own(address), Workspace(tmp_path), "demo")
    assert str(refusal.value).startswith(f"MLflow at {address} cannot be used: ")
    assert "\n" not in str(refusal.value)


def test_an_address_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="MLflow at nowhere://server cannot be used"):
        connect(own("nowhere://server"), Workspace(tmp_path), "demo")


def test_a_run_knows_parameters_data_and_commit(project: Project) -> None:
    (version,) = project.registry.versions()
    run = project.tracking.client.get_run(version.run).data
    assert run.params["train.trials"] == str(project.params.train.trials)
    assert run.tags["data"] == project.workspace.dataset().digest
    assert run.tags["commit"] == commit()
    assert f"test.{project.use_case.goal.metric}" in run.metrics


def test_a_run_holds_bundle_baseline_and_evidence(project: Project) -> None:
    (version,) = project.registry.versions()
    found = {name: project.registry.files(version, name) for name in ("bundle", "baseline")}
    assert all({"model.onnx", "manifest.json"} <= files.keys() for files in found.values())
    evidence = project.registry.files(version, "evidence")
    assert evidence.keys() >= {"report.html", "card.md", "evaluation.json"}


def test_numbers_that_are_none_are_left_out(tracking: Tracking) -> None:
    with tracking.run("test") as run:
        run.metrics({"good": 0.5, "undefined": np.nan, "endless": np.inf})
    assert tracking.client.get_run(run.id).data.metrics == {"good": 0.5}


def test_a_run_that_broke_is_marked_as_failed(tracking: Tracking) -> None:
    with pytest.raises(UserError), tracking.run("test") as run:
        raise UserError("no more disk")
    assert tracking.client.get_run(run.id).info.status == "FAILED"


def test_a_run_may_be_opened_again(tracking: Tracking) -> None:
    with tracking.run("test") as run:
        run.parameters({"a": 1})
    with tracking.resume(run.id) as again:
        again.metrics({"b": 2.0})
    found = tracking.client.get_run(run.id)
    assert (found.data.params, found.data.metrics) == ({"a": "1"}, {"b": 2.0})
    assert found.info.status == "FINISHED"


def test_outside_a_repository_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""
