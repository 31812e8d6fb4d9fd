"""Batch prediction: what is refused, and that a failure leaves no half-written file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.errors import UserError
from project_package.lifecycle.predict import predict
from project_package.lifecycle.project import Project

CUSTOMERS = "months,bill,plan\n3,90.5,basic\n50,10.0,plus\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(CUSTOMERS)
    return path


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("answers.json", r"answers\.json must end in \.parquet or \.csv"),
        ("missing/answers.csv", r"There is no folder .*missing to write answers\.csv"),
    ],
)
def test_wrong_target_is_refused_before_reading(
    project: Project, tmp_path: Path, target: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        predict(project, tmp_path / "no-such-file.csv", tmp_path / target)


def test_reasons_are_refused_where_a_file_has_none(project: Project, source: Path) -> None:
    silent = replace(project, training=replace(project.training, file_reasons=False))
    with pytest.raises(UserError, match="writes no reasons into files: leave out --explain"):
        predict(silent, source, source.with_name("answers.csv"), explain=True)


def test_file_of_the_rows_is_not_replaced(project: Project, source: Path) -> None:
    (link := source.with_name("link.csv")).symlink_to(source)
    for target in (source, link):
        with pytest.raises(UserError, match="has the rows to predict: name another file"):
            predict(project, source, target)
    assert source.read_text(encoding="utf-8") == CUSTOMERS


def test_failure_to_write_keeps_the_old_file(project: Project, source: Path) -> None:
    def table(*_: Any) -> Any:
        return {"nested": [[1], [2]]}

    nested = replace(project, training=replace(project.training, batch_table=table))
    target = source.with_name("answers.csv")
    target.write_text("old")
    with pytest.raises(pl.exceptions.ComputeError, match="nested data"):
        predict(nested, source, target)
    assert target.read_text() == "old"
    assert set(source.parent.iterdir()) == {source, target}
