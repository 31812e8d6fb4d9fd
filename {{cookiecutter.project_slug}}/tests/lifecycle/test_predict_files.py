"""Batch prediction of many files: complete, continued, and none left half-written."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tasks import read_killed_once

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
    other = project.params.model_copy(update={"seed": 8})
    assert predict_files(replace(project, params=other), str(folder), str(target)) == 5


@pytest.fixture
def copied(project: Project, clone: Callable[[Path], Project]) -> Project:
    """Return a project that no other test looks at."""
    return clone(project.workspace.root)


def hidden(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.glob(".*")]


def test_unfinished_files_of_a_killed_command_are_removed(copied: Project, folder: Path) -> None:
    target = folder.with_name("answers")
    for where in (target, copied.workspace.data):
        (where / ".unfinished-killed").mkdir(parents=True)
    predict_files(copied, str(folder), str(target))
    assert not hidden(target, copied.workspace.data)


def test_killed_process_changes_nothing(
    copied: Project, folder: Path, several: dict[str, Any]
) -> None:
    predict_files(copied, str(folder), str(expected := folder.with_name("expected")))
    mark = folder.with_name("day-1.csv")
    read = partial(read_killed_once, copied.training.read_batch, mark)
    settings = copied.settings.model_copy(update=several)
    killed = replace(copied, settings=settings, training=replace(copied.training, read_batch=read))
    assert predict_files(killed, str(folder), str(target := folder.with_name("answers"))) == 6
    assert mark.exists()
    assert not hidden(target, copied.workspace.data)
    for path in expected.iterdir():
        assert path.read_bytes() == (target / path.name).read_bytes()


def test_file_and_pattern_may_be_named(project: Project, folder: Path) -> None:
    target = folder.with_name("answers")
    for source, count in ((folder / "day-2.csv", 2), (folder / "day-[12]*", 2), (folder, 2)):
        assert predict_files(project, str(source), str(target)) == count


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x" * 2_000_000, None])
def test_file_that_has_no_answers_is_not_replaced(
    project: Project, folder: Path, content: bytes | None
) -> None:
    (target := folder.with_name("answers")).mkdir()
    other = target / "day-1.parquet"
    if content is None:
        pl.DataFrame({"rows": [1]}).write_parquet(other)
    else:
        other.write_bytes(content)
    before = other.read_bytes()
    with pytest.raises(UserError, match=r"day-1.parquet in .* is not a file of answers"):
        predict_files(project, str(folder), str(target))
    assert other.read_bytes() == before


def test_file_for_the_answers_of_many_is_refused(project: Project, folder: Path) -> None:
    for target in ("answers.csv", "s3://shop/answers.parquet"):
        with pytest.raises(UserError, match="must be a folder"):
            predict_files(project, str(folder), target)


def test_folder_of_the_rows_is_refused(project: Project, folder: Path) -> None:
    (link := folder.with_name("link")).symlink_to(folder)
    for target in (f"{folder}/", str(link)):
        with pytest.raises(UserError, match="has the rows to predict: name another folder"):
            predict_files(project, str(folder), target)


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
    (folder / "day-2.parquet").touch()
    with pytest.raises(UserError, match="the same name but for their ending"):
        predict_files(project, str(folder), str(folder.with_name("answers")))


def test_folder_without_tables_is_an_error(project: Project, tmp_path: Path) -> None:
    for source, message in (
        (tmp_path, "has no .parquet or .csv or .csv.gz file"),
        (tmp_path / "no-*.csv", r"file no-\*.csv"),
        (tmp_path / "no", "no folder"),
    ):
        with pytest.raises(UserError, match=message):
            predict_files(project, str(source), str(tmp_path / "answers"))
