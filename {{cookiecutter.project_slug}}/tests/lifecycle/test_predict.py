"""Answering a file: what is refused, and that nothing is half written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.errors import UserError
from project_package.lifecycle.predict import predict
from project_package.lifecycle.project import Project
from project_package.lifecycle.workspace import Workspace


def test_another_ending_is_refused_before_anything_is_read(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"answers\.json must end in \.parquet or \.csv"):
        predict(project, tmp_path / "no-such-file.csv", tmp_path / "answers.json")


def test_without_a_champion_the_sentence_says_what_to_run(project: Project, tmp_path: Path) -> None:
    empty = replace(project, workspace=Workspace(tmp_path))
    with pytest.raises(UserError, match=r"There is no champion in .*: run `ml pipeline` first"):
        predict(empty, tmp_path / "rows.csv", tmp_path / "answers.csv")


def test_a_missing_file_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rows\.csv"):
        predict(project, tmp_path / "rows.csv", tmp_path / "answers.csv")


def test_a_failure_keeps_the_old_answers(project: Project, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("odd,header\n1,2\n")
    (tmp_path / "answers.csv").write_text("old")
    with pytest.raises(UserError):
        predict(project, tmp_path / "rows.csv", tmp_path / "answers.csv")
    assert (tmp_path / "answers.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failure_while_writing_leaves_nothing_beside(project: Project, tmp_path: Path) -> None:
    rows = project.use_case.split(project.params, project.workspace.dataset().path).test

    def table(*_: Any) -> Any:
        return {"nested": [[1], [2]]}

    use_case = replace(project.use_case, batch=lambda *_: rows, table=table)
    with pytest.raises(pl.exceptions.ComputeError, match="nested data"):
        predict(replace(project, use_case=use_case), tmp_path, tmp_path / "answers.csv")
    assert not list(tmp_path.iterdir())


def test_a_damaged_champion_answers_nothing(
    trained: Path, clone: Callable[[Path], Project], tmp_path: Path
) -> None:
    project = clone(trained)
    graph = Path(project.registry.store.address, "versions", "1", "bundle", "model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"model\.onnx of this bundle was changed or damaged"):
        predict(project, project.workspace.dataset().path / "rows.parquet", tmp_path / "a.csv")


def test_a_folder_that_is_missing_is_named_before_anything_is_read(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"There is no folder .*missing to write answers\.csv"):
        predict(project, tmp_path / "rows.csv", tmp_path / "missing" / "answers.csv")
