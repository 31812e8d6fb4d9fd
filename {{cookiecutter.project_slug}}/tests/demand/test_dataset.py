"""From weekly rows to data sets, splits, batches, events and example requests."""

from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from batches import read_in_one_and_two
from demand.tables import PRODUCTS, WEEKS, data_set, params, weekly_table

from project_package.columns import Columns, columns_of
from project_package.contract.training import Splits
from project_package.demand.dataset import (
    KEY,
    batch_history,
    columns,
    examples,
    load_data,
    read_batch,
    recent_events,
)
from project_package.demand.features import INPUTS
from project_package.demand.params import DemandParams
from project_package.demand.schemas import MIN_HISTORY, PLANNED, SOLD, SoldWeek
from project_package.demand.split import split
from project_package.errors import UserError

WEEK = 7 * 86_400_000
PLANS = weekly_table().tail(PRODUCTS).select(*KEY, *PLANNED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)


@pytest.fixture(scope="module")
def table(folder: Path) -> Columns:
    return columns(pl.read_parquet(folder / "features.parquet"))


def batch(rows: pl.DataFrame, folder: Path, scratch: Path) -> Columns:
    rows.write_parquet(scratch / "next.parquet")
    return read_batch(params(), scratch / "next.parquet", folder)


def later(weeks: int) -> pl.DataFrame:
    return PLANS.with_columns(pl.col("week") + timedelta(weeks=weeks))


def test_test_is_the_last_weeks_and_training_is_before(splits: Splits) -> None:
    assert np.unique(splits.test["week"]).size == 5
    assert splits.train["timestamp"].max() + WEEK == splits.test["timestamp"].min()
    assert np.unique(splits.train["week"]).size == WEEKS - 5 - MIN_HISTORY


def test_each_fold_is_an_earlier_origin(splits: Splits) -> None:
    end = splits.test["timestamp"].min()
    for fold in splits.folds:
        assert np.unique(fold.valid["week"]).size == 3
        assert fold.train["timestamp"].max() + WEEK == fold.valid["timestamp"].min()
        assert fold.valid["timestamp"].max() + WEEK == end
        end = fold.valid["timestamp"].min()


def test_refuses_too_few_weeks(folder: Path) -> None:
    assert np.unique(split(params(fold_weeks=13), folder).folds[1].train["week"]).size == 1
    with pytest.raises(UserError, match=f"covers {WEEKS} weeks and these splits need 41: use more"):
        split(params(folds=9), folder)


def test_short_table_is_not_longer_in_the_message(tmp_path: Path) -> None:
    data_set(tmp_path, weekly_table(6))
    with pytest.raises(UserError, match="covers 6 weeks and these splits need 20: use more"):
        split(params(), tmp_path)


def test_broken_rule_names_the_own_column(folder: Path, tmp_path: Path) -> None:
    data = {"source": str(tmp_path / "own.csv"), "columns": {"units": "pieces", "week": "monday"}}
    own = DemandParams.model_validate({"name": "own", "data": data})
    table = weekly_table().rename({"units": "pieces", "week": "monday"})
    table.with_columns(pieces=pl.lit(-1)).write_csv(tmp_path / "own.csv")
    with pytest.raises(
        UserError, match=r'units \(your "pieces"\) must be a number .*\n.* pieces=-1'
    ):
        load_data(own, tmp_path, lambda _: None)
    assert not (tmp_path / "features.parquet").exists()
    later(2).rename({"week": "monday"}).write_parquet(tmp_path / "next.parquet")
    with pytest.raises(UserError, match=r'week \(your "monday"\) must follow a week'):
        read_batch(own, tmp_path / "next.parquet", folder)


def test_order_of_own_rows_does_not_matter(folder: Path, tmp_path: Path) -> None:
    data_set(tmp_path, weekly_table().reverse())
    expected = pl.read_parquet(folder / "features.parquet")
    assert pl.read_parquet(tmp_path / "features.parquet").equals(expected)


def test_batch_of_plans_equals_the_table(folder: Path, tmp_path: Path, table: Columns) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    found = batch(PLANS, folder, tmp_path)
    last = table["timestamp"] == table["timestamp"].max()
    assert found["product_id"].tolist() == PLANS["product_id"].to_list()
    assert all(np.array_equal(found[name], table[name][last]) for name in INPUTS)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_batch_of_the_coming_week_reads_the_data_set(folder: Path, tmp_path: Path) -> None:
    found = batch(later(1), folder, tmp_path)
    assert found["mean_1w"].tolist() == weekly_table().tail(PRODUCTS)["units"].to_list()


def test_refuses_a_week_after_unknown_sales(folder: Path, tmp_path: Path) -> None:
    for weeks in (pl.concat([later(1), later(2)]), later(2)):
        with pytest.raises(UserError, match="must follow a week whose units are known: 6 rows"):
            batch(weeks, folder, tmp_path)


def test_batch_may_bring_sales_and_correct_known_ones(folder: Path, tmp_path: Path) -> None:
    rows = weekly_table(WEEKS + 2).tail(3 * PRODUCTS).with_columns(pl.col("units") + 100)
    last = pl.col("week") == rows["week"].max()
    sold = [pl.when(~last).then(name).alias(name) for name in SOLD]
    found = batch(rows.with_columns(sold), folder, tmp_path)
    assert found["mean_1w"].tolist()[PRODUCTS:] == rows.filter(~last)["units"].to_list()


def test_refuses_a_new_product(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must have 8 weeks of history before it: 1 row breaks"):
        batch(PLANS.tail(1).with_columns(product_id=pl.lit("new")), folder, tmp_path)


def test_recent_events_are_weeks_within_the_lookback(folder: Path) -> None:
    events = recent_events(folder)
    assert list(events) == list(columns_of(SoldWeek))
    assert np.unique(events["timestamp"]).size == 27
    assert events["units"].tolist() == weekly_table().tail(27 * PRODUCTS)["units"].to_list()


def test_examples_have_history_and_pseudonyms(folder: Path, splits: Splits) -> None:
    requests = examples(folder, splits.test, 4)
    assert [request.product_id for request in requests] == [f"product-{n}" for n in (1, 2, 3, 4)]
    histories: list[Any] = [request.history for request in requests]
    assert all(history[0].week == date(2024, 1, 1) for history in histories)
    assert any(request.plan.ad_front + request.plan.ad_inside > 0 for request in requests)


def test_weeks_of_one_product_may_be_in_two_files(folder: Path, tmp_path: Path) -> None:
    new = weekly_table(WEEKS + 4).filter(pl.col("product_id") == "P0")[-4:]
    read = partial(read_batch, params())
    write_history = partial(batch_history, params())
    rows, parts = read_in_one_and_two(read, write_history, new, folder, tmp_path)
    one, two = (pl.DataFrame(dict(found)).sort("week") for found in (rows, parts))
    assert len(one) == 4
    assert two.equals(one)
