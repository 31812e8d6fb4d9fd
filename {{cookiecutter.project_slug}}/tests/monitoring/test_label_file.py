"""Labels of a file: all are stored, or none."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.monitoring.label_file import store_labels
from project_package.prediction_log import keyed_hash, read_key

pytestmark = pytest.mark.system


def stored(project: Project) -> list[tuple[str, str, str]]:
    file = project.workspace.root / "predictions.db"
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as database:
        query = "SELECT prediction, event, label FROM labels ORDER BY id"
        return database.execute(query).fetchall()


def written(project: Project, text: str) -> Path:
    file = project.workspace.root / "known.csv"
    file.write_text(text)
    return file


def test_labels_name_predictions(copy: Project) -> None:
    store_labels(copy, written(copy, "prediction_id,left\np-1,true\np-2,0\n"))
    assert stored(copy) == [("p-1", "", '{"left":true}'), ("p-2", "", '{"left":false}')]


def test_labels_name_instances_by_their_hash(copy: Project) -> None:
    task = replace(copy.champion_task(), id=("name",))
    training = replace(copy.training, make_task=lambda _: task)
    file = copy.workspace.root / "known.parquet"
    pl.DataFrame({"id": [7], "left": [True]}).write_parquet(file)
    store_labels(replace(copy, training=training), file)
    hashed = keyed_hash(7, read_key(copy.settings, copy.workspace.root))
    assert stored(copy) == [("", hashed, '{"left":true}')]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,left\n1,true\n", "must have rows, and the column prediction_id"),
        ("prediction_id,left\n", "must have rows"),
        ("prediction_id,left\np,true\nq,maybe\n", "row 2: left: Input should be a valid boolean"),
        ("prediction_id,gone\np,true\n", "row 1: left: Field required"),
        ("prediction_id,left\n,true\n", "row 1: prediction_id is missing"),
        ("", r"known\.csv cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_whole(copy: Project, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        store_labels(copy, written(copy, text))
    assert stored(copy) == []


def test_a_file_that_is_not_there_is_named(copy: Project) -> None:
    with pytest.raises(UserError, match=r"none\.parquet cannot be read"):
        store_labels(copy, Path("none.parquet"))
