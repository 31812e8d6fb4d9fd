"""What the batch predictions of every use case must keep: the answers of its server."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from projects import read_table, write_raw_rows

from project_package.columns import EXPLAIN, Columns, length, take
from project_package.contract.task import Model
from project_package.lifecycle.predict import predict
from project_package.lifecycle.predict_files import predict_files
from project_package.lifecycle.project import Project


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_batch_file_has_the_answers_of_the_server(
    project: Project, model: Model, sample: Columns, tmp_path: Path, ending: str
) -> None:
    if project.champion_task().name == "sessions":
        pytest.skip("a batch asks for the basket after the newest: see tests/sessions")
    explain = project.training.file_reasons and ending == "parquet"
    if explain:
        sample = {**sample, EXPLAIN: np.ones(length(sample), np.bool_)}
    predictions = model.predict(sample)
    if project.champion_task().name == "contracts":  # the file begins with the least certain ones
        order = np.argsort(predictions["confidence"], kind="stable")
        sample, predictions = (take(columns, order) for columns in (sample, predictions))
    answers = [vars(answer) for answer in project.champion_task().to_responses(sample, predictions)]
    expected = dict(project.training.batch_table(sample, predictions))
    shared = expected.keys() & answers[0].keys()
    assert shared
    expected |= {name: np.array([answer[name] for answer in answers]) for name in shared}
    source = tmp_path / f"rows.{ending}"
    target = tmp_path / f"answers.{ending}"
    write_raw_rows(project, {n: v for n, v in expected.items() if n not in shared}, source)
    assert predict(project, source, target, explain=explain) == length(sample)
    found = read_table(target, expected)
    assert found.columns == list(expected)
    for name, values in expected.items():
        if values.dtype.kind == "f":
            assert found[name].to_numpy() == pytest.approx(values, rel=1e-6, abs=1e-7)
        else:
            assert found[name].to_list() == values.tolist()


def test_files_of_a_folder_have_the_answers_of_one_file(
    project: Project, model: Model, sample: Columns, tmp_path: Path
) -> None:
    predictions = model.predict(sample)
    answer = project.champion_task().response.model_fields
    table = project.training.batch_table(sample, predictions)
    keys = {name: values for name, values in table.items() if name not in answer}
    write_raw_rows(project, keys, tmp_path / "rows.parquet")
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    (folder := tmp_path / "rows").mkdir()
    for number in range(2):
        rows[number::2].write_parquet(folder / f"{number}.parquet")
    predict(project, tmp_path / "rows.parquet", tmp_path / "answers.parquet")
    predict_files(project, str(folder), str(tmp_path / "answers"))
    parts, whole = (pl.read_parquet(tmp_path / name) for name in ("answers", "answers.parquet"))
    key = [name for name in keys if name in rows.columns]
    assert_frame_equal(parts.unique(key).sort(key), whole.sort(key))
