"""Batch prediction of many files: complete, continued, and none left half-written."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.columns import Columns
from project_package.errors import UserError
from project_package.lifecycle.predict import predict
from project_package.lifecycle.predict_files import predict_files
from project_package.lifecycle.project import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write three files of customers."""
    folder = tmp_path / "rows"
    folder.mkdir()
    for number in range(3):
        text = f"months,bill,plan\n3,90.5,basic\n{number},10.0,plus\n"
        (folder / f"day-{number}.csv").write_text(text)
    return folder


def test_each_file_has_the_answers_of_its_rows(project: Project, folder: Path) -> None:
    target = folder.with_name("answers")
    assert predict_files(project, str(folder), str(target)) == 6
    assert [path.name for path in sorted(target.iterdir())] == [
        f"day-{n}.parquet" for n in range(3)
    ]
    predict(project, folder / "day-1.csv", alone := folder.with_name("alone.parquet"))
    assert pl.read_parquet(target / "day-1.parquet").equals(pl.read_parquet(alone))


def test_only_new_and_changed_files_are_predicted_again(project: Project, folder: Path) -> None:
    target = folder.with_name("answers")
    predict_files(project, str(folder), str(target))
    assert predict_files(project, str(folder), str(target)) == 0
    (folder / "day-1.csv").write_text("months,bill,plan\n3,90.5,basic\n")
    (target / "day-2.parquet").unlink()
    assert predict_files(project, str(folder), str(target)) == 3
    assert predict_files(project, f"{folder}/day-[01].csv", str(target)) == 0


def test_unfinished_files_of_a_killed_command_are_removed(project: Project, folder: Path) -> None:
    target = folder.with_name("answers")
    (target / ".predict-killed").mkdir(parents=True)
    predict_files(project, str(folder), str(target))
    assert not [*target.glob(".*")]


def test_processes_write_the_same_files(project: Project, folder: Path) -> None:
    two = replace(project, settings=project.settings.model_copy(update={"processes": 2}))
    for name, using in (("one", project), ("two", two)):
        predict_files(using, str(folder), str(folder.with_name(name)))
    for path in folder.with_name("one").iterdir():
        assert path.read_bytes() == (folder.with_name("two") / path.name).read_bytes()


def test_bad_file_is_named_and_the_others_are_answered(project: Project, folder: Path) -> None:
    def read(params: Any, file: Path, history: Path) -> Columns:
        if file.name == "day-2.csv":
            raise UserError(f"{file.name} has no column bill.")
        return project.training.read_batch(params, file, history)

    bad = replace(project, training=replace(project.training, read_batch=read))
    target = folder.with_name("answers")
    with pytest.raises(UserError, match="day-2"):
        predict_files(bad, str(folder), str(target))
    assert len([*target.iterdir()]) == 2


def test_names_that_end_otherwise_only_are_refused(project: Project, folder: Path) -> None:
    (folder / "day-2.tsv").write_text("months\tbill\tplan\n3\t90.5\tbasic\n")
    with pytest.raises(UserError, match="the same name but for their ending"):
        predict_files(project, str(folder), str(folder.with_name("answers")))


def test_folder_without_tables_is_an_error(project: Project, tmp_path: Path) -> None:
    for source, message in ((tmp_path, "no Parquet or CSV file"), (tmp_path / "no", "no folder")):
        with pytest.raises(UserError, match=message):
            predict_files(project, str(source), str(tmp_path / "answers"))
