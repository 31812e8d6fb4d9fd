"""What every use case must keep, each that the package holds: one artifact, one way to predict."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import onnxruntime
import polars as pl
import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from project_package.bundle import (
    EXAMPLES,
    GRAPH,
    Bundle,
    pack,
    read,
    unpack,
    write,
)
from project_package.contract import Columns, UseCase, length, take
from project_package.errors import UserError
from project_package.lifecycle.evaluate import test_rows as rows_of_the_test
from project_package.lifecycle.predict import predict
from project_package.lifecycle.project import Project
from project_package.onnx_model import Predictor, features
from project_package.serving.app import create_app
from project_package.state.base import State
from project_package.model_store import BUNDLE, CHAMPION

AnyUseCase = UseCase[Any, Any, Any, Any]


@pytest.fixture
def bundle(project: Project) -> Bundle:
    return unpack(project.registry.store.fetch(1, BUNDLE))


@pytest.fixture
def rows(project: Project, bundle: Bundle) -> Columns:
    return rows_of_the_test(project, bundle)


def test_a_bundle_that_was_saved_and_loaded_gives_the_same_scores(
    use_case: AnyUseCase, bundle: Bundle, rows: Columns, tmp_path: Path
) -> None:
    write(pack(bundle), tmp_path / "bundle")
    loaded = Predictor(unpack(read(tmp_path / "bundle")), use_case.api).predict(rows)
    for name, values in Predictor(bundle, use_case.api).predict(rows).items():
        assert loaded[name].tobytes() == values.tobytes()


def test_a_flipped_byte_of_any_file_is_refused(bundle: Bundle) -> None:
    files = pack(bundle)
    for name in bundle.manifest.files:
        broken = bytearray(files[name])
        broken[len(broken) // 2] ^= 1
        with pytest.raises(UserError, match=f"{name} of this bundle was changed"):
            unpack({**files, name: bytes(broken)})


def test_the_model_reaches_its_goal_and_beats_naive_and_baseline(
    use_case: AnyUseCase, project: Project
) -> None:
    version = project.registry.find(CHAMPION)
    assert version is not None
    score = project.registry.evaluation(version).score(use_case.goal.metric)
    metric = use_case.metric(use_case.goal.metric)
    for rival in (use_case.goal.floor, score.naive, score.baseline):
        assert metric.gain(score.model, rival) > 0


def test_two_trainings_on_the_same_data_give_the_same_graph(
    retrained: Path, opened: Callable[[Path], Project]
) -> None:
    registry = opened(retrained).registry
    one, two = (registry.files(version, BUNDLE) for version in registry.versions())
    assert unpack(one).manifest.data == unpack(two).manifest.data
    assert unpack(one).digest == unpack(two).digest
    assert one[GRAPH] == two[GRAPH]


def test_signals_are_finite_and_one_a_row(
    use_case: AnyUseCase, bundle: Bundle, rows: Columns
) -> None:
    predictions = Predictor(bundle, use_case.api).predict(rows)
    signals = use_case.api.signals(rows, predictions)
    count = len(next(iter(rows.values())))
    assert signals
    assert all(values.shape == (count,) for values in signals.values())
    assert all(np.isfinite(values).all() for values in signals.values())


def test_the_examples_of_a_bundle_get_their_recorded_answers(
    use_case: AnyUseCase, bundle: Bundle
) -> None:
    pairs = json.loads(bundle.assets[EXAMPLES])
    requests = [use_case.api.request.model_validate(pair["request"]) for pair in pairs]
    answers = Predictor(bundle, use_case.api).answer(requests)
    assert len(pairs) >= 2
    type_: TypeAdapter[Any] = TypeAdapter(list[use_case.api.response])  # type: ignore[name-defined]
    assert type_.validate_python(answers, extra="forbid")
    assert answers == [p["response"] for p in pairs]


def test_mlflow_loads_the_champion_and_gives_the_same_scores(
    use_case: AnyUseCase, project: Project, bundle: Bundle, rows: Columns
) -> None:
    project.tracking  # noqa: B018  connects MLflow to this project
    model = mlflow.pyfunc.load_model(f"models:/{project.params.name}@{CHAMPION}")
    predictor = Predictor(bundle, use_case.api)
    few = take(rows, np.arange(min(100, length(rows))))
    given = model.predict(dict(use_case.api.encode(few, predictor.assets)))
    for name, values in predictor.outputs(few).items():
        # MLflow adds up in more threads
        assert given[name] == pytest.approx(values, rel=1e-5, abs=1e-6)


def test_the_graph_answers_as_the_model_it_was_made_from(bundle: Bundle) -> None:
    found = bundle.manifest.parity
    assert found is not None
    assert found.rows > 1_000
    assert found.largest_difference < 1e-5
    assert found.changed_decisions == 0


def test_every_metric_scores_the_naive_answer_too(use_case: AnyUseCase, rows: Columns) -> None:
    naive = use_case.naive(rows)
    assert all(not math.isnan(metric.score(rows, naive)) for metric in use_case.metrics)


def test_a_manifest_that_disagrees_with_the_files_is_refused(bundle: Bundle) -> None:
    files = dict(pack(replace(bundle, assets={**bundle.assets, "more.txt": b"more"})))
    del files["more.txt"]
    with pytest.raises(UserError, match=r"disagree about more\.txt"):
        unpack(files)


AnyPredictor = Predictor[Any, Any, Any]
ROWS = 80


@pytest.fixture
def predictor(use_case: AnyUseCase, project: Project) -> AnyPredictor:
    return Predictor(unpack(project.registry.store.fetch(1, BUNDLE)), use_case.api)


@pytest.fixture
def sample(project: Project, predictor: AnyPredictor) -> Columns:
    """Take test rows in their order: the ones with the highest and the lowest scores, and more.

    The score is the first output of the graph, or the first column of that.
    """
    rows = rows_of_the_test(project, predictor.bundle)
    first = next(iter(predictor.outputs(rows).values()))
    order = np.argsort(first.reshape(len(first), -1)[:, 0], kind="stable")
    step = max(1, length(rows) * 4 // (3 * ROWS))
    places = np.concatenate([order[-ROWS // 4 :], order[::step]])
    return take(rows, np.unique(places))


def raw_file(project: Project, sample: Columns, answers: Columns, target: Path) -> Path:
    """Write all raw rows of the sample, with their labels: they are the history of one another."""
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    key = [name for name in answers if name in raw.columns]
    mine = raw.join(pl.DataFrame({name: answers[name] for name in key}), on=key, how="semi")
    assert mine.n_unique(key) == length(sample)  # of a household, all baskets
    mine.write_csv(target) if target.suffix == ".csv" else mine.write_parquet(target)
    return target


def read_answers(path: Path, expected: Columns) -> pl.DataFrame:
    """Read a file of answers; in CSV, text may look like a number and a time is text."""
    if path.suffix != ".csv":
        return pl.read_parquet(path)
    texts = {n: pl.String for n, values in expected.items() if values.dtype.kind in "OU"}
    return pl.read_csv(path, schema_overrides=texts, try_parse_dates=True)


def test_the_sample_holds_every_decision(predictor: AnyPredictor, sample: Columns) -> None:
    predictions = [v for v in predictor.predict(sample).values() if v.ndim == 1]
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
    found = read_answers(target, expected)
    assert found.columns == list(expected)
    for name, values in expected.items():
        if np.issubdtype(values.dtype, np.floating):
            assert found[name].to_numpy() == pytest.approx(values, rel=1e-6, abs=1e-7)
        else:
            assert found[name].to_list() == values.tolist()


def test_requests_have_the_features_of_the_table(
    project: Project, predictor: AnyPredictor, sample: Columns
) -> None:
    folder = project.workspace.dataset().path
    requests = project.use_case.examples(folder, sample, length(sample))
    inputs = predictor.api.encode(sample, predictor.assets)
    found = predictor.api.encode(features(predictor.api, requests), predictor.assets)
    for name, values in found.items():
        assert values.tobytes() == inputs[name].tobytes()


def test_http_gives_the_answers_of_the_table(
    project: Project, predictor: AnyPredictor, sample: Columns, tmp_path: Path
) -> None:
    folder = project.workspace.dataset().path
    requests = project.use_case.examples(folder, sample, length(sample))
    state = State(tmp_path / "state.db", predictor.api.memory)
    client = TestClient(create_app(predictor.api, project.registry.store, state))
    body = {"instances": [request.model_dump(mode="json") for request in requests]}
    expected = predictor.api.respond(predictor.predict(sample), predictor.assets)
    found = client.post("/v1/predict", json=body).json()
    assert found["model_version"] == "1"
    assert found["predictions"] == [json.loads(text) for text in expected]


def test_one_row_at_a_time_gives_the_answers_of_all(
    predictor: AnyPredictor, sample: Columns
) -> None:
    together = predictor.predict(sample)
    for row in range(length(sample)):
        one = np.array([row])
        alone, mine = predictor.predict(take(sample, one)), take(together, one)
        assert all(alone[name].tobytes() == values.tobytes() for name, values in mine.items())


def test_a_plain_onnx_session_gives_the_scores_of_the_table(
    predictor: AnyPredictor, sample: Columns
) -> None:
    session = onnxruntime.InferenceSession(predictor.bundle.graph)
    inputs = dict(predictor.api.encode(sample, predictor.assets))
    names = [output.name for output in session.get_outputs()]
    expected = predictor.outputs(sample)
    for name, values in zip(names, session.run(names, inputs), strict=True):
        # it adds up in more threads
        assert values == pytest.approx(expected[name], rel=1e-5, abs=1e-6)
