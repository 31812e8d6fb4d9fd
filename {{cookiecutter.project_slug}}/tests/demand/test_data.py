"""From weekly rows to splits, batches and requests."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.contract import Splits, length
from project_package.demand.task import LEAST_HISTORY
from project_package.demand.data import (
    KEY,
    DemandParams,
    batch,
    collect,
    columns,
    examples,
    split,
)
from project_package.demand.features import INPUTS, PLANS, SOLD
from project_package.errors import UserError

START, WEEKS, PRODUCTS = datetime(2024, 1, 1), 40, 6
WEEK = 7 * 86_400_000
PLANNED = [*KEY, *PLANS]


def weekly(weeks: int = WEEKS) -> pl.DataFrame:
    random = np.random.default_rng(0)
    size = weeks * PRODUCTS
    units = random.poisson(9, size).astype(np.float64)
    plans = {name: np.round(random.random(size) * (random.random(size) < 0.2), 4) for name in PLANS}
    return pl.DataFrame(
        {
            "product_id": [f"P{number}" for number in range(PRODUCTS)] * weeks,
            "week": [START + timedelta(weeks=n // PRODUCTS) for n in range(size)],
            "department": "deli",
            "units": units,
            "sales": np.round(2.5 * units, 2),
            "discount": np.round(0.1 * units, 2),
            **plans,
        }
    )


def params(source: Path | str = "own.parquet", **cut: int) -> DemandParams:
    wanted = {"test_weeks": 5, "folds": 2, "fold_weeks": 3, **cut}
    data = {"source": str(source)}
    return DemandParams.model_validate({"name": "tiny", "data": data, "split": wanted})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data")
    weekly().write_parquet(path / "own.parquet")
    collect(params(path / "own.parquet"), path, lambda _: None)
    return path


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)


@pytest.fixture(scope="module")
def table(folder: Path) -> Any:
    return columns(pl.read_parquet(folder / "features.parquet"))


def test_the_test_is_the_last_weeks_and_training_all_before(splits: Splits) -> None:
    assert np.unique(splits.test["week"]).size == 5
    assert splits.train["timestamp"].max() + WEEK == splits.test["timestamp"].min()
    assert np.unique(splits.train["week"]).size == WEEKS - 5 - LEAST_HISTORY


def test_each_fold_is_an_earlier_origin(splits: Splits) -> None:
    begin = splits.test["timestamp"].min()
    for fold in splits.folds:
        assert np.unique(fold.valid["week"]).size == 3
        assert fold.train["timestamp"].max() + WEEK == fold.valid["timestamp"].min()
        assert fold.valid["timestamp"].max() + WEEK == begin
        begin = fold.valid["timestamp"].min()


def test_too_few_weeks_are_refused_with_what_it_takes(folder: Path) -> None:
    with pytest.raises(UserError, match=f"covers {WEEKS} weeks and these splits need 44: lower"):
        split(params(folds=10), folder)


def test_rows_that_break_a_rule_stop_the_collection(tmp_path: Path) -> None:
    weekly().with_columns(units=-pl.col("units")).write_parquet(tmp_path / "own.parquet")
    with pytest.raises(UserError, match="units must be a number from 0"):
        collect(params(tmp_path / "own.parquet"), tmp_path, lambda _: None)
    assert not (tmp_path / "features.parquet").exists()


def test_own_names_are_mapped_and_the_order_does_not_matter(folder: Path, tmp_path: Path) -> None:
    weekly().reverse().rename({"units": "pieces"}).write_csv(tmp_path / "own.csv")
    own = params(tmp_path / "own.csv")
    data = own.data.model_copy(update={"columns": {"units": "pieces"}})
    collect(own.model_copy(update={"data": data}), tmp_path, lambda _: None)
    expected = pl.read_parquet(folder / "features.parquet")
    assert pl.read_parquet(tmp_path / "features.parquet").equals(expected)


def test_a_batch_of_plans_alone_equals_the_table(folder: Path, tmp_path: Path, table: Any) -> None:
    plans = weekly().tail(PRODUCTS).select(PLANNED)
    plans.write_csv(tmp_path / "next.csv")
    found = batch(params(), tmp_path / "next.csv", folder)
    last = table["timestamp"] == table["timestamp"].max()
    assert found["product_id"].tolist() == plans["product_id"].to_list()
    assert all(np.array_equal(found[name], table[name][last]) for name in INPUTS)


def test_the_coming_week_looks_back_on_the_data_set(folder: Path, tmp_path: Path) -> None:
    plans = weekly().tail(PRODUCTS).select(PLANNED)
    coming = plans.with_columns(pl.col("week") + timedelta(weeks=1))
    coming.write_parquet(tmp_path / "next.parquet")
    found = batch(params(), tmp_path / "next.parquet", folder)
    assert found["mean_1w"].tolist() == weekly().tail(PRODUCTS)["units"].to_list()


def test_a_week_after_an_unknown_one_is_refused(folder: Path, tmp_path: Path) -> None:
    plans = weekly().tail(PRODUCTS).select(PLANNED)
    later = [plans.with_columns(pl.col("week") + timedelta(weeks=n)) for n in (1, 2)]
    pl.concat(later).write_parquet(tmp_path / "next.parquet")
    with pytest.raises(UserError, match="must follow a week whose units are known: 6 rows"):
        batch(params(), tmp_path / "next.parquet", folder)
    later[1].write_parquet(tmp_path / "next.parquet")
    with pytest.raises(UserError, match="must follow a week whose units are known: 6 rows"):
        batch(params(), tmp_path / "next.parquet", folder)


def test_a_file_that_brings_the_missing_week_is_answered(folder: Path, tmp_path: Path) -> None:
    whole = weekly(WEEKS + 2).tail(2 * PRODUCTS)
    last = pl.col("week") == whole["week"].max()
    sold = [pl.when(~last).then(name).alias(name) for name in SOLD]
    whole.with_columns(sold).write_csv(tmp_path / "next.csv")
    found = batch(params(), tmp_path / "next.csv", folder)
    mine = whole.filter(~last)["units"].to_list()
    assert found["mean_1w"].tolist()[PRODUCTS:] == mine


def test_a_product_that_is_too_new_is_refused(folder: Path, tmp_path: Path) -> None:
    plans = weekly().tail(1).select(PLANNED).with_columns(product_id=pl.lit("new"))
    plans.write_parquet(tmp_path / "next.parquet")
    with pytest.raises(UserError, match="must have 8 weeks of history before it: 1 row breaks"):
        batch(params(), tmp_path / "next.parquet", folder)


def test_a_batch_leaves_the_data_set_alone(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    weekly().tail(3).write_parquet(tmp_path / "next.parquet")
    assert length(batch(params(), tmp_path / "next.parquet", folder)) == 3
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob(".batch-*"))


def test_examples_carry_the_weeks_before_and_no_sales_of_the_plan(
    folder: Path, splits: Splits
) -> None:
    requests = examples(folder, splits.test, 4)
    assert len(requests) == 4
    for request in requests:
        assert request.history is not None
        assert request.history[0].week == date(2024, 1, 1)
        assert not hasattr(request.plan, "units")
    assert any(request.plan.ad_front + request.plan.ad_inside > 0 for request in requests)
