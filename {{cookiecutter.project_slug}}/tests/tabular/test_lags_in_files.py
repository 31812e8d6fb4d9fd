"""Lags are the same in the table, in a file to predict and in a request."""

import json
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from batches import read_in_one_and_two
from tabular.series import COLUMNS, FEATURES, SCHEMA, START, problem_of, series, table_of
from tabular.tables import params

from project_package.columns import Columns, take
from project_package.contract.training import Training
from project_package.data.table_schema import Schema
from project_package.errors import UserError
from project_package.tabular.dataset import request_values
from project_package.tabular.params import TabularParams
from project_package.tabular.schema_file import schema_text
from project_package.tabular.schemas import request_type
from project_package.tabular.task import to_rows
from project_package.tabular.training import make_training


def trained_on(
    root: Path, rows: pl.DataFrame, gap: float, schema: Schema = SCHEMA
) -> tuple[Training, TabularParams]:
    """Write rows and schema into a project and read them as its data set, in root / "data"."""
    (root / "schema.toml").write_text(schema_text(schema), encoding="utf-8")
    rows.write_parquet(root / "own.parquet")
    data = {"source": str(root / "own.parquet"), "target": "value"}
    own = params(data=data, split={"gap_days": gap, "folds": 1})
    training = make_training(own, root)
    (root / "data").mkdir()
    training.load_data(own, root / "data", lambda _: None)
    return training, own


def predicted(root: Path, training: Training, own: TabularParams, file: pl.DataFrame) -> Columns:
    """Return the rows of a file to predict, in its order."""
    file.write_csv(root / "new.csv")
    return training.read_batch(own, root / "new.csv", root / "data")


def sorted_rows(rows: Columns) -> Columns:
    return take(rows, np.lexsort((rows["row"], rows["shop"].astype(str))))


@pytest.mark.parametrize("gap", [0, 2.5])
@pytest.mark.parametrize("without", [(), ("value",)])
def test_table_file_and_request_agree(gap: float, without: tuple[str, ...], tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, series(), gap)
    test = sorted_rows(training.split(own, tmp_path / "data").test)
    newest = series().filter(pl.col("row") >= START + timedelta(days=40))
    batch = sorted_rows(predicted(tmp_path, training, own, newest.drop(without)))
    tested = {*zip(test["shop"], test["row"], strict=True)}
    keys = zip(batch["shop"], batch["row"], strict=True)
    batch = take(batch, np.array([key in tested for key in keys]))
    problem = problem_of()
    requests = [
        request_type(problem).model_validate_json(json.dumps(request_values(problem, test, row)))
        for row in range(len(test["row"]))
    ]
    served = to_rows(problem, requests)
    assert np.isnan(test["value lag 3"]).any()
    assert np.isfinite(test["value lag 3"]).sum() > 30
    for name in FEATURES:
        np.testing.assert_array_equal(batch[name], test[name])
        np.testing.assert_array_equal(served[name], test[name])


def test_rows_of_a_file_count_for_its_later_rows(tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, series(), 0)
    later = table_of([("a", 61, None), ("z", 62, 8), ("a", 60, 3), ("z", 60, 2), ("z", 63, None)])
    found = predicted(tmp_path, training, own, later)
    a, first, _, new, last = range(5)
    known = series().filter(pl.col("shop") == "a").sort("row")["value"].drop_nulls()
    assert found["value lag 1"][[a, first, last]].tolist() == [3, 2, 8]
    assert found["value lag 3"][a] == known[-2]
    assert found["value mean 4"][last] == 5
    assert np.isnan(found["value mean 4"][new])


def test_rows_of_one_shop_may_be_in_two_files(tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, pl.concat([series(), table_of([("a", 60, None)])]), 0)
    later = table_of([("a", 61, None), ("z", 62, 8), ("z", 60, 2), ("a", 60, 3), ("z", 63, None)])
    later = pl.concat([later, series().filter(pl.col("shop") == "b").with_columns(value=0.5)])
    assert training.batch_history
    read = partial(training.read_batch, own)
    write_history = partial(training.batch_history, own)
    rows, parts = read_in_one_and_two(read, write_history, later, tmp_path / "data", tmp_path)
    one, two = (sorted_rows(found) for found in (rows, parts))
    assert 3 in one["value lag 1"]
    assert 0.5 in one["value lag 1"]
    for name in FEATURES:
        np.testing.assert_array_equal(one[name], two[name])


def test_target_of_every_stored_row_may_be_blank_in_a_file(tmp_path: Path) -> None:
    value = COLUMNS["value"].model_copy(update={"missing": 0})
    known = series().drop_nulls("value")
    training, own = trained_on(tmp_path, known, 0, Schema(columns={**COLUMNS, "value": value}))
    found = predicted(tmp_path, training, own, table_of([("new", 60, None)]))
    assert found["value lag 1"].tolist() == [5]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"row": None}, 'has no column "row"'),
        ({"shop": None}, 'has no column "shop"'),
        ({"value": pl.lit(1e31)}, "value must lie between -1e.30 and 1e.30"),
    ],
)
def test_file_that_does_not_fit_is_refused(
    columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    training, own = trained_on(tmp_path, series(), 0)
    left_out = [name for name, value in columns.items() if value is None]
    changed = {name: value for name, value in columns.items() if value is not None}
    with pytest.raises(UserError, match=message):
        predicted(tmp_path, training, own, series().with_columns(**changed).drop(left_out))


def test_file_needs_a_data_set_of_the_same_schema(tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, series(), 0)
    (tmp_path / "data" / "schema.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="run `ml data` again"):
        predicted(tmp_path, training, own, series())
