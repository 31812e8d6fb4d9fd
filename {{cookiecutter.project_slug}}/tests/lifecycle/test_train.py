"""Training refuses a bundle that predicts something else than the fitted model."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain.use_case import TRAINING

from project_package.bundle import Bundle, Contents, code_of
from project_package.columns import Columns, length, stack, take
from project_package.contract.checks import Checks
from project_package.contract.task import Model, Task
from project_package.contract.training import (
    Candidate,
    Fitted,
    Fold,
    Metric,
    Outcome,
    Splits,
)
from project_package.errors import GateRefused, MissingColumn, UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.mlflow_model import find_large
from project_package.lifecycle.project import Project
from project_package.lifecycle.train import parity_rows, require_parity_rows, train
from project_package.model_store import BUNDLE
from project_package.onnx_runtime import GRAPH, OnnxModel
from project_package.params import Promote


@dataclass(frozen=True)
class Shifted:
    """A fitted model that predicts more than its files say."""

    fitted: Fitted

    def predict(self, rows: Columns) -> Columns:
        return {"probability": self.fitted.predict(rows)["probability"] + 0.001}

    def files(self) -> Contents:
        return self.fitted.files()


@dataclass(frozen=True)
class WithPhotos:
    """A fitted model with a large file."""

    fitted: Fitted
    photos: Path

    def predict(self, rows: Columns) -> Columns:
        return self.fitted.predict(rows)

    def files(self) -> Contents:
        return {**self.fitted.files(), "photos": self.photos}


def test_bundle_that_predicts_otherwise_is_refused(copy: Project) -> None:
    shifted = replace(TRAINING, finish=lambda _, fitted, *__: Shifted(fitted))
    with pytest.raises(GateRefused, match=r"parity: largest difference 1\.0e-03 of 1e-05"):
        train(replace(copy, training=shifted))
    assert [version.number for version in copy.registry.versions()] == [1]


def test_bundle_that_cannot_be_loaded_is_named(copy: Project) -> None:
    def load(bundle: Bundle) -> Model:
        return OnnxModel(bundle.files[GRAPH], encode=lambda rows: rows)

    def make_task(bundle: Bundle) -> Task:
        return replace(TRAINING.make_task(bundle), load=load)

    error = r"^The bundle of by_months cannot be loaded: KeyError\('model.onnx'\)\. .*weights\.json"
    with pytest.raises(UserError, match=error):
        train(replace(copy, training=replace(TRAINING, make_task=make_task)))


def test_unknown_candidate_is_named(copy: Project) -> None:
    options = copy.params.train.model_copy(update={"candidates": ("forest", "tree")})
    params = copy.params.model_copy(update={"train": options})
    with pytest.raises(UserError, match='"forest" is not a candidate; there are linear, tree'):
        train(replace(copy, params=params))


def test_search_metric_replaces_the_goal(copy: Project, capsys: Any) -> None:
    sevens = Metric("sevens", "Sevens", lambda *_: 7.0)
    train(replace(copy, training=replace(TRAINING, search_metric=sevens), console=Console()))
    assert "Sevens 7.000 on the folds" in capsys.readouterr().out


def test_finish_sees_the_validation_rows_of_every_fold(copy: Project) -> None:
    seen: list[Any] = []

    def split(*given: Any) -> Splits:
        return replace(splits := TRAINING.split(*given), folds=splits.folds * 2)

    def finish(_: Any, fitted: Fitted, rows: Columns, validation: Outcome) -> Fitted:
        seen.append([length(r) for r in (rows, validation.rows, validation.predictions)])
        return fitted

    train(replace(copy, training=replace(TRAINING, split=split, finish=finish)))
    assert seen == [[300, 600, 600]] * 2  # the simple baseline and the best candidate


def test_parity_rows_are_test_rows_first() -> None:
    test = {"x": np.arange(15_000)}
    rows = {"x": np.arange(15_000, 25_000)}
    splits = Splits(rows, (Fold(take(rows, np.arange(3)), rows),), test)
    for most, least, count in (
        (None, 1, 20_000),
        (None, 22_000, 22_000),
        (None, 99_000, 25_000),
        (5, 1, 5),
        (5, 99, 5),
    ):
        checks = Checks(max_parity_rows=most)
        found = parity_rows(splits, checks, Promote(min_parity_rows=least))
        assert found["x"].tolist() == [*range(count)]


def test_missing_column_is_named_and_another_key_error_is_a_crash(copy: Project) -> None:
    def with_fit(error: KeyError) -> Project:
        def fit(*_: object) -> Fitted:
            raise error

        candidates = (Candidate("odd", {}, fit), *TRAINING.candidates[1:])
        return replace(copy, training=replace(TRAINING, candidates=candidates))

    with pytest.raises(UserError, match="has no column 'amount': when features have changed"):
        train(with_fit(MissingColumn("amount")))
    with pytest.raises(KeyError, match="C"):
        train(with_fit(KeyError("C")))
    with pytest.raises(MissingColumn, match="amount"):
        stack({"x": np.zeros(2)}, ["x", "amount"])


def test_too_few_rows_for_parity_are_refused() -> None:
    splits = Splits(rows := {"x": np.arange(5)}, (), take(rows, np.arange(4)))
    asked = Promote(min_parity_rows=10)
    with pytest.raises(UserError, match=r"There are 9 rows .* 10 are required: use more data"):
        require_parity_rows(splits, Checks(), asked)
    require_parity_rows(splits, Checks(max_parity_rows=9), asked)


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("models.py", True),
        ("rows.sql", True),
        ("prompts/answer.txt", True),
        (".models.py.swp", False),  # of an editor
        (".ipynb_checkpoints/models.py", False),
        ("__pycache__/models.cpython-311.pyc", False),
        ("__pycache__/models.cpython-311.pyc.140231", False),  # while Python writes it
    ],
)
def test_edited_file_of_the_use_case_starts_another_study(
    tmp_path: Path, monkeypatch: Any, file: str, counts: bool
) -> None:
    package = tmp_path / "kind"
    edited = package / file
    edited.parent.mkdir(parents=True)
    edited.write_text("MAX_BIN = 4")
    (package / "__init__.py").write_text("class Own: pass")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "kind", raising=False)
    from kind import Own  # type: ignore[import-not-found]  # noqa: PLC0415

    before = code_of(Own)
    assert code_of(Own) == before
    edited.write_text("MAX_BIN = 5")
    assert (code_of(Own) != before) is counts


def test_edited_sql_is_not_scored_by_old_trials(copy: Project, monkeypatch: Any) -> None:
    def tried() -> int:
        run = copy.registry.versions()[0].run
        of_run = f"tags.mlflow.parentRunId = '{run}'"
        return len(copy.tracking.client.search_runs([copy.tracking.experiment], of_run))

    folder = copy.workspace.root / "use_case"
    folder.mkdir()
    (folder / "rows.sql").write_text("select 1")
    monkeypatch.setattr("inspect.getfile", lambda _: str(folder / "task.py"))
    train(copy)
    assert tried() == 3  # the plain use case has three candidates
    train(copy)
    assert tried() == 0
    (folder / "rows.sql").write_text("select 2")
    train(copy)
    assert tried() == 3


def test_large_file_of_several_bundles_is_stored_once(
    copy: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.write_bytes(b"photos")

    def quantise(*_: object) -> Fitted:
        raise AssertionError("a model with a large file is not quantised")

    training = replace(
        TRAINING,
        candidates=tuple(replace(one, quantise=quantise) for one in TRAINING.candidates),
        finish=lambda _, fitted, *__: WithPhotos(fitted, photos),
    )
    project = replace(copy, training=training)
    for version in (train(project), train(project)):
        found = project.registry.find_version(version)
        assert found
        (path,) = project.registry.bundle(found).large.values()
        assert path.read_bytes() == b"photos"
        assert "photos" not in project.registry.files(found, BUNDLE)
    store = copy.workspace.root / "store"
    assert [*(store / "large").iterdir()] == [path]
    monkeypatch.setenv("MODEL_STORE", str(store))
    assert find_large(path.name) == path  # as MLflow's model does
