"""What every use case must keep: one bundle, one way to predict, the table's features."""

from collections.abc import Callable
from dataclasses import replace
from html import unescape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from champions import SAMPLE
from fastapi.testclient import TestClient
from pydantic import SecretStr

from project_package.cli import EntryPoint
from project_package.columns import Columns, length, take
from project_package.contract.task import Model, Task, predict_requests
from project_package.contract.training import Training
from project_package.lifecycle.evaluate import find_challenger
from project_package.lifecycle.gate import paired_bootstrap
from project_package.lifecycle.predicted_test_rows import kept_predictions
from project_package.lifecycle.project import Project
from project_package.lifecycle.scores import score_rows
from project_package.model_store import CHAMPION
from project_package.params import Promote
from project_package.serving.app import create_app


def assert_same(one: Columns, two: Columns) -> None:
    """Compare all columns, exactly; NaN equals NaN."""
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], name, strict=True)


def test_same_seed_gives_the_same_bundle_and_scores(
    retrained: Path, opened: Callable[[Path], Project]
) -> None:
    registry = opened(retrained).registry
    versions = registry.versions()
    one, two = (registry.bundle(version) for version in versions)
    assert one.manifest.data == two.manifest.data
    assert one.digest == two.digest
    first, second = (registry.evaluation(version) for version in versions)
    assert first == second


def test_kept_predictions_are_those_of_the_model(
    project: Project, model: Model, rows: Columns
) -> None:
    version = project.registry.find_version(CHAMPION)
    assert version is not None
    kept = kept_predictions(project, version)
    assert kept is not None
    assert_same(kept["model"], model.predict(rows))
    assert_same(kept["naive"], project.training.naive(rows))
    assert kept["baseline"].keys()


def test_mlflow_model_requires_the_versions_that_it_was_made_with(
    training: Training, project: Project, tmp_path: Path
) -> None:
    project.tracking  # noqa: B018  connects MLflow to this project
    model = f"models:/{project.params.name}@{CHAMPION}"
    mlflow.artifacts.download_artifacts(f"{model}/requirements.txt", dst_path=str(tmp_path))
    required = (tmp_path / "requirements.txt").read_text(encoding="utf-8").splitlines()
    for library in ("numpy", "onnxruntime", "pydantic", *training.libraries):
        assert f"{library}=={version(library)}" in required


def test_report_explains_its_rows_scores_and_slices(
    training: Training, project: Project, rows: Columns
) -> None:
    page = unescape((project.workspace.reports / "report.html").read_text(encoding="utf-8"))
    registry = project.registry
    challenger = find_challenger(project)
    evaluation = registry.evaluation(challenger)
    about = training.about(project.params)
    figures = registry.client.list_artifacts(challenger.run, "figures")
    assert len(figures) == page.count('role="img"') > 0
    assert f"{length(rows):,} {about.rows}" in page
    for score in evaluation.scores:
        assert score.meaning.endswith(".")
        assert score.meaning in page
    words = (*about.terms, "day", "department", "baskets", "items")
    assert all(any(word in part.name for word in words) for part in evaluation.slices)


def test_one_row_at_a_time_predicts_the_same(
    use_case: str, training: Training, model: Model, sample: Columns
) -> None:
    whole = model.predict(sample)
    # Products of float32, of other lengths, and in tabular a linear model in the mean.
    digits = 1e-5 if use_case == "sessions" else 1e-12
    least = 2e-7 if use_case == "tabular" else 0  # two steps of float32 below 1
    for row in np.arange(length(sample))[:, None]:
        alone = model.predict(take(sample, row))
        expected = take(whole, row)
        assert alone.keys() == expected.keys()
        for name, values in expected.items():
            if values.dtype.kind == "f":  # a product can depend on the number of rows
                np.testing.assert_allclose(alone[name], values, rtol=digits, atol=least)
        assert not training.export_differs(expected, alone).any()


def test_gate_compares_the_scores_of_the_report(
    training: Training, model: Model, rows: Columns
) -> None:
    own = model.predict(rows)
    naive = training.naive(rows)
    scores = score_rows(training, rows, {"model": own, "baseline": naive, "naive": naive})
    score = scores[training.goal.name]
    assert score
    once = replace(training, groups=lambda rows: np.arange(length(rows)))
    found = paired_bootstrap(once, rows, (own, naive), Promote(resamples=50))
    assert found.estimate == pytest.approx(score.gain)
    assert found.low < found.estimate < found.high


def test_sample_holds_every_decision(model: Model, sample: Columns) -> None:
    predictions = model.predict(sample)
    names = predictions.keys() - {"unusable", "by", "tokens"}  # of odd images; of a language model
    decisions = [predictions[n] for n in names if predictions[n].ndim == 1]
    decisions = [values for values in decisions if values.dtype.kind != "f"]
    assert length(sample) >= 50
    assert all(len(np.unique(values)) > 1 for values in decisions)


def test_monitored_values_are_finite_and_one_per_row(
    task: Task, model: Model, rows: Columns
) -> None:
    monitored = task.monitored(rows, model.predict(rows))
    assert monitored
    for name, values in monitored.items():
        assert values.shape == (length(rows),)
        if values.dtype.kind not in "OU":
            missing = np.isnan(rows[name]) if name in rows else False
            assert (np.isfinite(values) | missing).all()


def in_memory(values: Any) -> Any:
    """Return the images that values refer to, or the values."""
    read = [value.pixels() for value in values if hasattr(value, "pixels")]
    return np.stack(read) if read else values


def test_requests_have_the_features_of_the_table(
    training: Training, project: Project, task: Task, sample: Columns
) -> None:
    folder = project.workspace.dataset().path
    compared = 0
    history: Any = getattr(task, "history", None)  # only of a HistoryTask
    for row in range(length(sample)):
        own = take(sample, np.array([row]))
        for request in training.examples(folder, own, 1):  # none when its history is too long
            features = task.to_rows([request])
            if history:  # leave out the raw columns: a label is not known yet
                earlier = [history.from_request(request)]
                features = history.features(history.to_raw_rows([request]), earlier)
            shared = features.keys() & own.keys() - {task.entity, *task.id}  # pseudonyms
            assert_same({n: features[n] for n in shared}, {n: in_memory(own[n]) for n in shared})
            compared += len(shared)
    assert compared >= length(sample)


def test_server_gives_the_answers_of_the_bundle(  # noqa: PLR0913, PLR0917  fixtures
    entry: EntryPoint,
    training: Training,
    project: Project,
    task: Task,
    model: Model,
    rows: Columns,
) -> None:
    settings = project.settings.model_copy(
        update={"serve_keys": "off", "log_url": SecretStr("off")}
    )
    app = create_app(training.make_task, settings, project.workspace.root, entry.open_events)
    requests = training.examples(project.workspace.dataset().path, rows, SAMPLE)
    body = {"instances": [request.model_dump(mode="json") for request in requests]}
    with TestClient(app) as client:  # the loader has compared the answers to the examples
        assert len(app.state.champion.current().examples) >= 2
        found = client.post("/v1/predict", json=body).json()
    assert found["model_version"] == "1"
    assert found["predictions"] == predict_requests(task, model, requests)
