"""The same rows on every path to a prediction: equal features, equal numbers, equal decisions.

The reference is the table that the data stage wrote; beside it a batch file, HTTP, and the graph
in a plain ONNX session. The first column of a batch answer says which row it is about.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import polars as pl
import pytest
from fastapi.testclient import TestClient

from project_package.bundle import unpack
from project_package.contract import Columns, UseCase, length, take
from project_package.lifecycle.evaluate import test_rows as rows_of_the_test
from project_package.lifecycle.predict import predict
from project_package.lifecycle.project import Project
from project_package.lifecycle.registry import BUNDLE
from project_package.predictor import Predictor
from project_package.serving.app import create_app

AnyUseCase = UseCase[Any, Any, Any, Any]
AnyPredictor = Predictor[Any, Any, Any]
ROWS = 80


@pytest.fixture
def predictor(use_case: AnyUseCase, project: Project) -> AnyPredictor:
    return Predictor(unpack(project.registry.store.fetch(1, BUNDLE)), use_case.api)


@pytest.fixture
def sample(project: Project, predictor: AnyPredictor) -> Columns:
    """Take test rows in their order: the ones with the highest and the lowest scores, and more."""
    rows = rows_of_the_test(project, predictor.bundle)
    order = np.argsort(next(iter(predictor.outputs(rows).values())), kind="stable")
    places = np.concatenate([order[-ROWS // 4 :], order[:: length(rows) * 4 // (3 * ROWS)]])
    return take(rows, np.unique(places))


def raw_file(project: Project, sample: Columns, answers: Columns, target: Path) -> Path:
    """Write the sample's raw rows, with their labels: they are the history of one another."""
    key, ids = next(iter(answers.items()))
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    mine = raw.filter(pl.col(key).is_in(list(ids)))
    assert len(mine) == length(sample)
    mine.write_csv(target) if target.suffix == ".csv" else mine.write_parquet(target)
    return target


def test_the_sample_holds_every_decision(predictor: AnyPredictor, sample: Columns) -> None:
    predictions = predictor.predict(sample).values()
    decisions = [v for v in predictions if not np.issubdtype(v.dtype, np.floating)]
    assert length(sample) >= 50
    assert all(len(np.unique(values)) > 1 for values in decisions)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_batch_file_gives_the_features_of_the_table(
    project: Project, predictor: AnyPredictor, sample: Columns, tmp_path: Path, ending: str
) -> None:
    answers = project.use_case.table(sample, predictor.predict(sample))
    source = raw_file(project, sample, answers, tmp_path / f"rows.{ending}")
    folder = project.workspace.dataset().path
    batch = project.use_case.batch(project.params, source, folder)
    inputs = predictor.api.encode(sample, predictor.assets)
    for name, values in predictor.api.encode(batch, predictor.assets).items():
        assert values.tobytes() == inputs[name].tobytes()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_batch_file_gets_the_answers_of_the_table(
    project: Project, predictor: AnyPredictor, sample: Columns, tmp_path: Path, ending: str
) -> None:
    expected = project.use_case.table(sample, predictor.predict(sample))
    source = raw_file(project, sample, expected, tmp_path / f"rows.{ending}")
    target = tmp_path / f"answers.{ending}"
    assert predict(project, source, target) == length(sample)
    found = pl.read_csv(target) if ending == "csv" else pl.read_parquet(target)
    assert found.columns == list(expected)
    for name, values in expected.items():
        if np.issubdtype(values.dtype, np.floating):
            assert found[name].to_numpy() == pytest.approx(values, abs=1e-7)
        else:
            assert found[name].to_list() == values.tolist()


def test_requests_have_the_features_of_the_table(
    project: Project, predictor: AnyPredictor, sample: Columns
) -> None:
    folder = project.workspace.dataset().path
    requests = project.use_case.examples(folder, sample, length(sample))
    inputs = predictor.api.encode(sample, predictor.assets)
    found = predictor.api.encode(predictor.api.features(requests), predictor.assets)
    for name, values in found.items():
        assert values.tobytes() == inputs[name].tobytes()


def test_http_gives_the_answers_of_the_table(
    project: Project, predictor: AnyPredictor, sample: Columns
) -> None:
    folder = project.workspace.dataset().path
    requests = project.use_case.examples(folder, sample, length(sample))
    client = TestClient(create_app(predictor.api, project.registry.store))
    body = {"instances": [request.model_dump(mode="json") for request in requests]}
    expected = predictor.api.respond(predictor.predict(sample), predictor.assets)
    found = client.post("/v1/predict", json=body).json()
    assert found["model_version"] == "1"
    assert found["predictions"] == [answer.model_dump(mode="json") for answer in expected]


def test_one_row_at_a_time_gives_the_answers_of_all(
    predictor: AnyPredictor, sample: Columns
) -> None:
    together = predictor.predict(sample)
    for row in range(length(sample)):
        alone = predictor.predict(take(sample, np.array([row])))
        assert all(alone[name].tobytes() == v[row].tobytes() for name, v in together.items())


def test_a_plain_onnx_session_gives_the_scores_of_the_table(
    predictor: AnyPredictor, sample: Columns
) -> None:
    session = onnxruntime.InferenceSession(predictor.bundle.graph)
    inputs = dict(predictor.api.encode(sample, predictor.assets))
    names = [output.name for output in session.get_outputs()]
    expected = predictor.outputs(sample)
    for name, values in zip(names, session.run(names, inputs), strict=True):
        assert values == pytest.approx(expected[name], abs=1e-6)  # it adds up in more threads
