"""What a run leaves in MLflow, also when its process is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run
from optuna.trial import TrialState, create_trial

from project_package.columns import digest, length
from project_package.errors import UserError
from project_package.lifecycle.evaluate import (
    describe,
    find_challenger,
    write_report,
)
from project_package.lifecycle.predicted_test_rows import read_version
from project_package.lifecycle.project import Project
from project_package.lifecycle.report import headline
from project_package.lifecycle.tracking import Tracking, commit, connect, log_trial
from project_package.lifecycle.train import train
from project_package.lifecycle.workspace import Workspace
from project_package.settings import Settings

OPEN_RUN = """
import sys
from plain import use_case
from projects import open_project
from pathlib import Path
with open_project(use_case, Path(sys.argv[1])).tracking.run("train", "") as run:
    print(run, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def tracking(copy: Project) -> Tracking:
    return copy.tracking


def status(tracking: Tracking, run: str) -> str:
    return str(tracking.client.get_run(run).info.status)


def parent(project: Project) -> Run:
    """Return the run that trained version 1."""
    version = project.registry.find_version(1)
    assert version is not None
    return project.tracking.client.get_run(version.run)


def children(project: Project, run: str) -> list[Run]:
    """Return the child runs of a run, the oldest first."""
    ids = [project.tracking.experiment]
    of_run = f"tags.mlflow.parentRunId = '{run}'"
    return list(project.tracking.client.search_runs(ids, of_run, order_by=["start_time"]))


def test_run_is_named_by_candidate_and_time(project: Project) -> None:
    run = parent(project)
    started = datetime.fromtimestamp(run.info.start_time / 1000, UTC)
    ended = datetime.fromtimestamp(run.info.end_time / 1000, UTC)  # it is named in between
    assert (
        f"linear {started:%Y-%m-%d %H:%M}" <= run.info.run_name <= f"linear {ended:%Y-%m-%d %H:%M}"
    )
    assert run.info.status == "FINISHED"


def test_run_has_parameters_tags_and_description(project: Project) -> None:
    run = parent(project).data
    assert run.params["train.trials"] == str(project.params.train.trials)
    assert run.params["inputs"] == "3"
    assert not [name for name in run.params if name.startswith("promote.")]
    assert run.tags["data"] == project.workspace.dataset().digest
    assert (run.tags["use_case"], run.tags["candidate"]) == ("plain", "linear")
    assert run.tags["mlflow.note.content"].startswith("linear has the best score")


def test_run_has_scores_of_folds_test_and_baseline(project: Project) -> None:
    (version,) = project.registry.versions()
    (score,), metrics = project.registry.evaluation(version).scores, parent(project).data.metrics
    assert metrics.keys() == {
        "valid.roc_auc",
        "valid.roc_auc.fold_0",
        "test.roc_auc",
        "baseline.roc_auc",
    }
    assert (metrics["test.roc_auc"], metrics["baseline.roc_auc"]) == (score.model, score.baseline)
    assert metrics["valid.roc_auc"] == metrics["valid.roc_auc.fold_0"]


def test_run_has_training_and_test_rows_as_inputs(project: Project) -> None:
    run: Any = parent(project)
    inputs = {i.dataset.name: i.dataset for i in run.inputs.dataset_inputs}
    dataset = project.workspace.dataset()
    splits = project.training.split(project.params, dataset.path)
    for name, rows in (("training", splits.train), ("test", splits.test)):
        shapes = json.loads(inputs[name].profile)["features_shape"]
        assert shapes["bill"] == [length(rows)]
        assert dataset.path.as_posix() in inputs[name].source
        assert digest(rows).startswith(inputs[name].digest)
    assert inputs["training"].digest != inputs["test"].digest


def test_each_trial_is_a_child_run(project: Project) -> None:
    runs = {run.info.run_name: run for run in children(project, parent(project).info.run_id)}
    assert runs.keys() == {"by_months trial 0", "linear trial 0", "tree trial 0"}
    best = runs["linear trial 0"]
    assert (best.info.status, best.data.params) == ("FINISHED", {"inputs": "3"})
    assert best.data.metrics["valid.roc_auc"] == parent(project).data.metrics["valid.roc_auc"]
    assert (best.data.tags["state"], best.data.tags["candidate"]) == ("complete", "linear")


def test_reused_trials_are_not_logged_again(copy: Project) -> None:
    assert train(copy) == 2
    run = next(version.run for version in copy.registry.versions())
    assert children(copy, run) == []


def test_pruned_trial_has_no_mean(tracking: Tracking) -> None:
    for state in (TrialState.COMPLETE, TrialState.PRUNED):
        known = {"folds": [0.5], "settings": {}, "epochs": []}
        trial = create_trial(state=state, value=0.5, user_attrs=known)
        trial.number = 0
        with tracking.run("train", "") as run:
            log_trial(tracking.experiment, "tree", trial, "roc_auc")
        of_run = f"tags.mlflow.parentRunId = '{run}'"
        (child,) = tracking.client.search_runs([tracking.experiment], of_run)
        assert ("valid.roc_auc" in child.data.metrics) == (state is TrialState.COMPLETE)
        assert child.data.metrics["valid.roc_auc.fold_0"] == 0.5


def test_experiment_and_model_say_what_they_are_for(project: Project) -> None:
    client = project.tracking.client
    experiment = client.get_experiment(project.tracking.experiment)
    model = client.get_registered_model(project.params.name)
    assert experiment.tags["mlflow.note.content"] == model.description
    assert str(model.description).startswith("**Who leaves?**")


def test_description_of_a_version_fits_into_databases(project: Project) -> None:
    version = find_challenger(project)
    client = project.tracking.client
    found = describe(project, read_version(project, version))
    write_report(project, version, replace(found, summary=("A long finding.",) * 1000))
    description = client.get_model_version(project.params.name, str(version.number)).description
    assert str(description).startswith(f"{headline(found)}\n\nA long finding.")
    assert len(str(description)) == 5000  # the most that PostgreSQL takes


def test_run_has_bundle_baseline_and_evidence(project: Project) -> None:
    (version,) = project.registry.versions()
    for name in ("bundle", "baseline"):
        files = project.registry.files(version, name)
        assert {"weights.json", "params.json", "manifest.json"} <= files.keys()
    evidence = project.registry.files(version, "evidence")
    names = {"report.html", "card.md", "evaluation.json", "summary.json", "performance.json"}
    assert evidence.keys() == names


def test_failing_run_is_marked_as_failed(tracking: Tracking) -> None:
    with pytest.raises(UserError), tracking.run("test", "") as run:
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
        with tracking.run("while it is alive", ""):
            assert status(tracking, killed) == "RUNNING"
        process.send_signal(signal.SIGKILL)
    with tracking.run("after it was killed", ""):
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


def test_run_has_the_commit_and_whether_files_changed(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    Path("code.py").touch()
    for command in (("init", "-q"), ("add", "code.py"), (*identity, "commit", "-qm", "first")):
        subprocess.run(["git", *command], check=True)  # noqa: S607
    for changed in ("False", "True"):
        with tracking.run("train", "") as run:
            tags = tracking.client.get_run(run).data.tags
        assert len(tags["mlflow.source.git.commit"]) == 40
        assert tags["mlflow.source.git.dirty"] == changed
        Path("code.py").write_text("changed", encoding="utf-8")


def test_folder_outside_a_repository_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == ""


def test_training_describes_experiment_and_registered_model_anew(copy: Project) -> None:
    about = replace(copy.training.about(copy.params), question="Who stays?")
    train(replace(copy, training=replace(copy.training, about=lambda _: about)))
    client = copy.tracking.client
    experiment = client.get_experiment(copy.tracking.experiment)
    for text in (
        experiment.tags["mlflow.note.content"],
        client.get_registered_model(copy.params.name).description,
    ):
        assert text.startswith("**Who stays?**")
