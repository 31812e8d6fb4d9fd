"""From baskets to households, splits, batches, events and example requests."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from batches import read_in_one_and_two
from segments.tables import AS_OF, EACH, HOUSEHOLDS, baskets, data_set, params, regular, shop

from project_package.columns import Columns, columns_of, length
from project_package.contract.training import Splits
from project_package.errors import UserError
from project_package.segments.dataset import (
    batch_history,
    columns,
    examples,
    households,
    load_data,
    midnight_after,
    read_batch,
    recent_events,
)
from project_package.segments.features import DAYS, INPUTS, MIN_BASKETS, TRAITS
from project_package.segments.params import SegmentsParams
from project_package.segments.schemas import MAX_BASKETS, BoughtBasket
from project_package.segments.split import split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return data_set(tmp_path_factory.mktemp("data"))


def batch(rows: pl.DataFrame, folder: Path, scratch: Path) -> Columns:
    rows.write_parquet(scratch / "asked.parquet")
    return read_batch(params(), scratch / "asked.parquet", folder)


def new_basket(household: str, ago: float) -> pl.DataFrame:
    return baskets((household, ago)).with_columns(basket_id=pl.lit("new"))


def split_names(folder: Path, names: list[str], **sizes: Any) -> Splits:
    pl.DataFrame({"household_id": names}).write_parquet(folder / "features.parquet")
    return split(params(**sizes), folder)


def test_moment_is_the_midnight_after_the_newest_basket() -> None:
    assert midnight_after(baskets(("A", 0.5), ("A", 3))) == AS_OF
    assert midnight_after(baskets(("A", 0))) == AS_OF + timedelta(days=1)


def test_households_are_in_order_of_name_with_known_traits() -> None:
    bought = baskets(*regular("B", 4, 2.5), *regular("A", 5), ("A", 200))
    age = pl.when(pl.col("household_id") == "A").then(40.0)
    found = households(bought.with_columns(age=age), AS_OF)
    assert found["household_id"].to_list() == ["A", "B"]
    assert found["recency"].to_list() == [5, 2.5]
    assert found["age"].fill_nan(None).to_list() == [40, None]
    assert found["income"].is_nan().all()
    assert found.columns == ["household_id", *TRAITS, *INPUTS]


@pytest.mark.parametrize(("ago", "counts"), [(DAYS, 0), (DAYS - 0.001, 1), (-0.001, 0)])
def test_only_baskets_of_the_half_year_count(ago: float, counts: int) -> None:
    found = households(baskets(*regular("A", MIN_BASKETS - 1), ("A", ago)), AS_OF)
    assert found["household_id"].to_list() == ["A"] * counts


def test_each_household_is_in_one_part(folder: Path) -> None:
    splits = split(params(), folder)
    train, test = (set(rows["household_id"]) for rows in (splits.train, splits.test))
    assert len(train) + len(test) == len(train | test) == HOUSEHOLDS
    valid = [set(fold.valid["household_id"]) for fold in splits.folds]
    assert set.union(*valid) == train
    assert not valid[0] & valid[1]
    for fold, held in zip(splits.folds, valid, strict=True):
        assert set(fold.train["household_id"]) == train - held


def test_household_stays_in_its_part_when_others_come(tmp_path: Path) -> None:
    few = [f"H{n}" for n in range(200)]
    more = [f"G{n}" for n in range(300)]
    before = split_names(tmp_path, few)
    after = split_names(tmp_path, more + few)
    assert set(before.test["household_id"]) == set(after.test["household_id"]) & set(few)
    for one, two in zip(before.folds, after.folds, strict=True):
        assert set(one.valid["household_id"]) == set(two.valid["household_id"]) & set(few)


def test_refuses_too_few_households(tmp_path: Path) -> None:
    enough = [f"E{n}" for n in range(212)]
    splits = split_names(tmp_path, enough, test_parts=3, folds=3)
    assert np.bincount(splits.test["part"]).tolist() == [31, 30, 34]
    assert [length(fold.valid) for fold in splits.folds] == [42, 37, 38]
    message = r"has 211 households, and a part of these splits has 29 of the 30 .* lower split\."
    with pytest.raises(UserError, match=message):
        split_names(tmp_path, enough[:-1], test_parts=3, folds=3)


def test_batch_adds_and_corrects_baskets_of_the_data_set(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    mine = shop().filter(household_id="H2")
    corrected = mine.head(1).with_columns(pl.col("sales") + 100)
    both = pl.concat([corrected, new_basket("H2", 1.0)], how="diagonal")
    found = batch(both, folder, tmp_path)
    assert (found["household_id"].tolist(), found["baskets"].tolist()) == (["H2"], [EACH + 1])
    assert found["spending"].item() == pytest.approx(mine["sales"].sum() + 100 + 10)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_newer_file_moves_the_moment(folder: Path, tmp_path: Path) -> None:
    assert batch(new_basket("H3", -40), folder, tmp_path)["recency"].tolist() == [1]


def test_broken_rule_names_the_own_column(folder: Path, tmp_path: Path) -> None:
    names = {"household_id": "customer", "sales": "total"}
    data = {"source": str(tmp_path / "own.csv"), "columns": names}
    own = SegmentsParams.model_validate({"name": "own", "data": data})
    shop().with_columns(sales=pl.lit(-1)).rename(names).write_csv(tmp_path / "own.csv")
    with pytest.raises(
        UserError, match=r'sales \(your "total"\) must be a number [\s\S]* total=-1'
    ):
        load_data(own, tmp_path, lambda _: None)
    new_basket("H3", -170).rename(names).write_parquet(tmp_path / "asked.parquet")
    message = r'"customer"\) must have 4 baskets in the 182 days before 2024-12-19: 1 row breaks'
    with pytest.raises(UserError, match=message):
        read_batch(own, tmp_path / "asked.parquet", folder)


def test_recent_events_are_baskets_in_order_of_time(folder: Path) -> None:
    events = recent_events(folder)
    assert list(events) == list(columns_of(BoughtBasket))
    assert length(events) == shop().height
    assert events["timestamp"].dtype == np.int64
    assert (np.diff(events["timestamp"]) >= 0).all()


def test_examples_have_pseudonyms(folder: Path) -> None:
    rows = columns(pl.read_parquet(folder / "features.parquet"))
    requests = examples(folder, rows, 20)
    names = [request.household_id for request in requests]
    assert names == [f"household-{n + 1}" for n in range(20)]
    ids = [basket.basket_id for request in requests for basket in request.baskets or ()]
    assert set(ids) == {f"basket-{n}" for n in range(1, EACH + 1)}


def test_household_with_too_many_baskets_is_no_example(tmp_path: Path) -> None:
    many = [("A", 0.1 + n / 10) for n in range(MAX_BASKETS + 1)]
    table = baskets(*many, *regular("B"), *regular("D", 5))
    data_set(tmp_path, table)
    rows = columns(pl.read_parquet(tmp_path / "features.parquet"))
    assert rows["household_id"].tolist() == ["A", "B", "D"]
    assert [len(request.baskets or ()) for request in examples(tmp_path, rows, 9)] == [EACH, 5]
    assert [len(request.baskets or ()) for request in examples(tmp_path, rows, 1)] == [EACH]


def test_baskets_of_one_household_may_be_in_two_files(folder: Path, tmp_path: Path) -> None:
    new = baskets(*regular("new", 4, first=1), *regular("H1", 3, first=0.5))
    read = partial(read_batch, params())
    write_history = partial(batch_history, params())
    rows, parts = read_in_one_and_two(read, write_history, new, folder, tmp_path)
    one, two = (pl.DataFrame(dict(found)).sort("household_id") for found in (rows, parts))
    assert one["household_id"].to_list() == ["H1", "new"]
    assert two.unique("household_id").sort("household_id").equals(one)


def test_basket_that_is_in_two_files_with_other_values_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    new = baskets(*regular("new", 4, first=1))
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file, sales in zip(files, (10.0, 11.0), strict=True):
        new.with_columns(sales=sales).write_parquet(file)
    with pytest.raises(UserError, match="basket_id must be unique"):
        batch_history(params(), files, folder, tmp_path)
