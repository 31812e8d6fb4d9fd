"""Test rows are predicted once, by evaluate; promote reads what was kept, or predicts again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anyio.from_thread import start_blocking_portal
from mlflow.exceptions import MlflowException
from plain import use_case
from plain.use_case import INPUTS

from project_package.bundle import Bundle
from project_package.columns import Columns, length
from project_package.contract.task import Model, Task
from project_package.errors import GateRefused
from project_package.lifecycle.evaluate import evaluate, find_challenger
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.performance import BATCH
from project_package.lifecycle.predicted_test_rows import (
    from_parquet,
    kept_predictions,
    predict_version,
    to_parquet,
)
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.train import train
from project_package.model_store import CHALLENGER

COLUMNS: dict[str, Any] = {
    "probabilities": np.array([[0.1, np.nan], [np.inf, -0.0]], np.float32),
    "decision": np.array([True, False]),
    "codes": np.array([3, 255], np.uint8),
    "names": np.array(["é", "trailing\0"], object),
    "items": np.array([["milk", "名 😀"], ["", "milk"]], object),
    "regions": np.zeros((2, 3, 3), np.float32),
    "reversed": np.arange(4).reshape(2, 2)[:, ::-1],
    "odd/na.npy": np.arange(2),
}
"""Predictions of two rows."""
TEST_ROWS = 300  # of 900 customers
CALLS: list[tuple[str, int]] = []
"""The candidate and the number of rows of each call."""


@dataclass(frozen=True)
class Recording:
    """A model whose calls are recorded."""

    candidate: str
    model: Model

    def predict(self, rows: Columns) -> Columns:
        CALLS.append((self.candidate, length(rows)))
        return self.model.predict(rows)


def make_task(bundle: Bundle) -> Task:
    name = bundle.manifest.candidate
    model = use_case.load(bundle)
    return replace(use_case.make_task(bundle), load=lambda _: Recording(name, model))


def recording(project: Project) -> Project:
    return replace(project, training=replace(project.training, make_task=make_task))


def calls_of(stage: Callable[[Project], object], project: Project) -> list[tuple[str, int]]:
    """Run a stage; return the calls that predict as many rows as the test has."""
    CALLS.clear()
    stage(project)
    return [call for call in CALLS if call[1] == TEST_ROWS]


def kept_file(project: Project, name: str) -> Path:
    """Return a file of the kept predictions of the newest version."""
    run = project.registry.versions()[0].run
    folder = project.registry.client.get_run(run).info.artifact_uri.removeprefix("file://")
    return Path(folder) / "predictions" / name


def test_each_model_predicts_the_test_rows_once(copy: Project) -> None:
    # Not counted: all 600 rows, on which train compares bundle and fitted model, the examples, and
    # what promote times: a row or request, and a batch. The plain use case has no `importance`,
    # which predicts changed or selected test rows.
    project = recording(copy)
    once = [("linear", TEST_ROWS), ("by_months", TEST_ROWS)]
    assert calls_of(make_dataset, project) == []
    assert calls_of(train, project) == [("linear", TEST_ROWS)]  # for the reference
    assert calls_of(evaluate, project) == once
    # The champion is of other code, which may have decided otherwise: it predicts once.
    assert calls_of(promote, project) == [("linear", TEST_ROWS)]
    assert {rows for _, rows in CALLS} == {1, BATCH, TEST_ROWS}
    # From now on, champion and challenger are of one code.
    assert calls_of(train, project) == [("linear", TEST_ROWS)]
    assert calls_of(evaluate, project) == once
    assert calls_of(evaluate, project) == once
    assert calls_of(promote, project) == []


def test_champion_predicts_other_test_rows(copy: Project) -> None:
    project = recording(copy)
    for stage in (train, evaluate, promote):
        stage(project)
    other = replace(project, params=project.params.model_copy(update={"seed": 8}))
    train(other)
    evaluate(other)
    assert calls_of(promote, other) == [("linear", TEST_ROWS)]


def test_kept_predictions_are_not_published(candidate: Project) -> None:
    assert kept_file(candidate, "test.parquet").exists()
    assert kept_predictions(candidate, find_challenger(candidate)) is not None
    promote(candidate)
    store = Path(candidate.store.address)
    assert {path.name for path in store.glob("versions/2/*")} == {"bundle", "evidence"}


@pytest.mark.parametrize("file", ["test.parquet", "origin.json"])
@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda old: old[:-9], lambda old: b"x" + old[1:]]
)
def test_damaged_predictions_are_computed_again(candidate: Project, file: str, damage: Any) -> None:
    path = kept_file(candidate, file)
    path.write_bytes(damage(path.read_bytes()))
    assert kept_predictions(candidate, find_challenger(candidate)) is None
    assert promote(candidate) == 2


@pytest.mark.parametrize(
    "files", [["test.parquet"], ["origin.json"], ["test.parquet", "origin.json"]]
)
def test_missing_predictions_are_computed_again(candidate: Project, files: list[str]) -> None:
    for name in files:
        kept_file(candidate, name).unlink()
    assert kept_predictions(candidate, find_challenger(candidate)) is None
    assert promote(candidate) == 2


def test_promote_scores_again_after_code_has_changed(candidate: Project) -> None:
    def perfect(rows: Columns) -> Columns:
        return {"probability": rows["left"].astype(float)}

    other = recording(candidate)  # whose task is of other code
    project = replace(other, training=replace(other.training, naive=perfect))
    with pytest.raises(GateRefused, match=r"naive: ROC AUC \S+ against 1\.000"):
        promote(project)


def test_predictions_that_cannot_be_kept_are_computed_again(candidate: Project) -> None:
    def naive(rows: Columns) -> Columns:
        odd = np.full(length(rows), None, object)
        odd[0] = (1, 2)
        return {**use_case.TRAINING.naive(rows), "odd": odd}

    kept_file(candidate, "origin.json").unlink()
    project = replace(candidate, training=replace(candidate.training, naive=naive))
    predict_version(project, find_challenger(project))
    assert kept_predictions(project, find_challenger(project)) is None
    assert promote(project) == 2


@pytest.mark.parametrize("name", COLUMNS)
def test_kept_column_comes_back_as_it_was(name: str) -> None:
    naive = {"decision": np.array([False, True])}
    predictions = from_parquet(to_parquet({"model": {name: COLUMNS[name]}, "naive": naive}))
    assert [*predictions] == ["model", "naive"]
    assert predictions["model"].keys() == {name}
    np.testing.assert_array_equal(predictions["model"][name], COLUMNS[name], strict=True)
    assert [type(value) for value in predictions["model"][name].flat] == [
        type(value) for value in COLUMNS[name].flat
    ]


class Judge:
    """Judges each row by how many rows it was asked about."""

    async def predict(self, rows: Columns) -> Columns:
        CALLS.append(("judge", length(rows)))
        assert {*INPUTS, "probability"} <= rows.keys()
        return {"judgement": np.full(length(rows), f"one of {length(rows)}", object)}


def test_judgements_are_kept_and_logged(candidate: Project) -> None:
    logged: list[tuple[str, Columns, Columns]] = []

    def log_rows(run: str, rows: Columns, predictions: Columns) -> None:
        logged.append((run, rows, predictions))

    training = replace(candidate.training, judge=lambda _: Judge(), log_rows=log_rows)
    with start_blocking_portal() as portal:
        project = replace(candidate, training=training, portal=portal)
        assert ("judge", TEST_ROWS) in calls_of(evaluate, project)
        assert calls_of(promote, project) == []
    version = project.registry.versions()[0]
    kept = kept_predictions(project, version)
    assert kept is not None
    assert kept["model"]["judgement"].tolist() == ["one of 300"] * TEST_ROWS
    assert [name for name, table in kept.items() if "judgement" in table] == ["model"]
    ((run, rows, predictions),) = logged
    assert (run, length(rows)) == (version.run, TEST_ROWS)
    assert predictions.keys() == kept["model"].keys()


def test_challenger_is_published_though_rows_are_not_logged(
    candidate: Project, caplog: pytest.LogCaptureFixture
) -> None:
    published: list[int] = []

    def log_rows(*_: object) -> None:
        pointer = candidate.store.pointer(CHALLENGER)
        published.append(pointer.version if pointer else 0)
        raise MlflowException("http://ml:secret@mlflow is unavailable")

    training = replace(candidate.training, log_rows=log_rows)
    version = candidate.registry.versions()[0].number
    candidate.store.delete_alias(CHALLENGER)
    assert evaluate(replace(candidate, training=training)).scores
    assert published == [version]
    (warning,) = caplog.messages
    assert warning.endswith("since it failed: http://mlflow is unavailable")
