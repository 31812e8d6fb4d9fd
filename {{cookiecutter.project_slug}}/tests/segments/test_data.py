"""From baskets to households, splits, batches and requests."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.contract import Columns, Splits, length
from project_package.errors import UserError
from project_package.onnx_model import features
from project_package.segments.task import API, MAX_BASKETS
from project_package.segments.data import (
    SegmentsParams,
    batch,
    collect,
    columns,
    examples,
    households,
    midnight_after,
    split,
)
from project_package.segments.features import (
    DAYS,
    INPUTS,
    LEAST_BASKETS,
    SPENT,
    TRAITS,
)

AS_OF = datetime(2024, 7, 1)
COUNT, EACH = 160, 6


def told(*baskets: tuple[str, float]) -> pl.DataFrame:
    """Give baskets of a household, `ago` days before the moment, that cost 10 each."""
    rows = [
        {"basket_id": f"{name}{n}", "household_id": name, "timestamp": AS_OF - timedelta(days=ago)}
        for n, (name, ago) in enumerate(baskets)
    ]
    money = {name: pl.lit(10.0 if name == "sales" else 1.0) for name in SPENT}
    return pl.DataFrame(rows).with_columns(pl.col("timestamp").cast(pl.Datetime("ms")), **money)


def regular(name: str, count: int = EACH, first: float = 5) -> list[tuple[str, float]]:
    return [(name, first + 7 * week) for week in range(count)]


def shop(count: int = COUNT) -> pl.DataFrame:
    """Give random baskets of many households; of every other one the age is known."""
    random = np.random.default_rng(0)
    table = told(*(basket for n in range(count) for basket in regular(f"H{n}", first=0.5 + n / 9)))
    sales = np.round(5 + random.gamma(2, 20, table.height), 2)
    ages = [30.0 + n % 40 if n % 2 else None for n in range(count) for _ in range(EACH)]
    return table.with_columns(sales=sales, fresh=np.round(sales / 3, 2), age=pl.Series(ages))


def params(source: Path | str = "own.parquet", **cut: float) -> SegmentsParams:
    wanted = {"test_share": 0.4, "test_parts": 1, "folds": 2, **cut}
    data = {"source": str(source)}
    return SegmentsParams.model_validate({"name": "tiny", "data": data, "split": wanted})


def collected(baskets: pl.DataFrame, folder: Path) -> Path:
    baskets.write_parquet(folder / "own.parquet")
    collect(params(folder / "own.parquet"), folder, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collected(shop(), tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def table(folder: Path) -> Columns:
    return columns(pl.read_parquet(folder / "features.parquet"))


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)


def answered(baskets: pl.DataFrame, folder: Path, scratch: Path) -> Columns:
    baskets.write_parquet(scratch / "asked.parquet")
    return batch(params(), scratch / "asked.parquet", folder)


def test_the_moment_is_the_midnight_after_the_newest_basket() -> None:
    assert midnight_after(told(("A", 0.5), ("A", 3))) == AS_OF
    assert midnight_after(told(("A", 0))) == AS_OF + timedelta(days=1)


def test_households_are_in_order_of_name_with_what_they_did_lately() -> None:
    found = households(told(*regular("B", 4, 2.5), *regular("A", 5), ("A", 200)), AS_OF)
    assert found["household_id"].to_list() == ["A", "B"]
    assert found["baskets"].to_list() == [5, 4]
    assert found["recency"].to_list() == [5, 2.5]
    assert found["spending"].to_list() == [50, 40]
    assert found.columns == ["household_id", *TRAITS, *INPUTS]


@pytest.mark.parametrize(("ago", "there"), [(DAYS, False), (DAYS - 0.001, True), (-0.001, False)])
def test_a_basket_counts_within_the_half_year_before_the_moment_only(
    ago: float, there: bool
) -> None:
    found = households(told(*regular("A", LEAST_BASKETS - 1), ("A", ago)), AS_OF)
    assert found["household_id"].to_list() == ["A"] * there


def test_traits_that_are_not_known_are_nan() -> None:
    baskets = told(*regular("A"), *regular("B"))
    age = pl.when(pl.col("household_id") == "A").then(40.0)
    found = households(baskets.with_columns(age=age), AS_OF)
    assert found["age"].fill_nan(None).to_list() == [40, None]
    assert found["income"].is_nan().all()


def test_no_household_is_a_table_without_rows() -> None:
    found = households(told(*regular("A", LEAST_BASKETS - 1)), AS_OF)
    assert found.height == 0
    assert set(INPUTS) < set(found.columns)


def test_every_household_is_in_one_part(splits: Splits) -> None:
    train, test = (set(rows["household_id"]) for rows in (splits.train, splits.test))
    assert len(train) + len(test) == len(train | test) == COUNT
    valid = [set(fold.valid["household_id"]) for fold in splits.folds]
    assert set.union(*valid) == train
    assert not valid[0] & valid[1]
    for fold, held in zip(splits.folds, valid, strict=True):
        assert set(fold.train["household_id"]) == train - held


def shares(folder: Path, names: list[str], **cut: float) -> Splits:
    pl.DataFrame({"household_id": names}).write_parquet(folder / "features.parquet")
    return split(params(folder, **cut), folder)


def test_a_household_stays_in_its_part_when_others_come(tmp_path: Path) -> None:
    few, more = [f"H{n}" for n in range(200)], [f"G{n}" for n in range(300)]
    before, after = shares(tmp_path, few), shares(tmp_path, more + few)
    assert set(before.test["household_id"]) == set(after.test["household_id"]) & set(few)
    for one, two in zip(before.folds, after.folds, strict=True):
        assert set(one.valid["household_id"]) == set(two.valid["household_id"]) & set(few)


def test_parts_have_the_shares_that_are_asked_for(tmp_path: Path) -> None:
    names = [f"{n:08x}" for n in np.random.default_rng(0).integers(0, 2**32, 6_000)]
    found = shares(tmp_path, names, test_share=0.25, test_parts=3, folds=4)
    assert length(found.test) == pytest.approx(1_500, rel=0.1)
    assert np.bincount(found.test["part"]) == pytest.approx([500] * 3, rel=0.2)
    sizes = [length(fold.valid) for fold in found.folds]
    assert sizes == pytest.approx([4_500 / 4] * 4, rel=0.1)


def test_too_few_households_are_refused_with_what_it_takes(folder: Path) -> None:
    words = r"has 160 households, and a part of these splits has \d+ of the 30 .* lower split\."
    with pytest.raises(UserError, match=words):
        split(params(test_parts=9), folder)


def test_baskets_that_break_a_rule_stop_the_collection(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sales must be a number from 0"):
        collected(shop(2).with_columns(sales=-pl.col("sales")), tmp_path)
    assert not (tmp_path / "features.parquet").exists()


def test_own_names_are_mapped_and_the_order_does_not_matter(folder: Path, tmp_path: Path) -> None:
    shop().reverse().rename({"sales": "paid"}).write_csv(tmp_path / "own.csv")
    own = params(tmp_path / "own.csv")
    data = own.data.model_copy(update={"columns": {"sales": "paid"}})
    collect(own.model_copy(update={"data": data}), tmp_path, lambda _: None)
    expected = pl.read_parquet(folder / "features.parquet")
    assert pl.read_parquet(tmp_path / "features.parquet").equals(expected, null_equal=True)


def test_a_batch_of_all_baskets_equals_the_table(
    folder: Path, tmp_path: Path, table: Columns
) -> None:
    found = answered(shop(), folder, tmp_path)
    assert found["household_id"].tolist() == table["household_id"].tolist()
    assert all(np.array_equal(found[name], table[name]) for name in INPUTS)


def test_a_batch_adds_the_baskets_of_the_data_set(folder: Path, tmp_path: Path) -> None:
    new = told(("H3", 1.0)).with_columns(basket_id=pl.lit("new"))
    found = answered(new, folder, tmp_path)
    assert found["household_id"].tolist() == ["H3"]
    assert found["baskets"].tolist() == [EACH + 1]
    mine = shop().filter(household_id="H3")["sales"].sum()
    assert found["spending"].item() == pytest.approx(mine + 10)


def test_a_basket_of_both_counts_once_as_the_file_has_it(folder: Path, tmp_path: Path) -> None:
    mine = shop().filter(household_id="H3")
    found = answered(mine.head(1).with_columns(sales=mine["sales"][0] + 100), folder, tmp_path)
    assert found["baskets"].tolist() == [EACH]
    assert found["spending"].item() == pytest.approx(mine["sales"].sum() + 100)


def test_a_newer_file_moves_the_moment(folder: Path, tmp_path: Path) -> None:
    found = answered(told(("H3", -40)).with_columns(basket_id=pl.lit("new")), folder, tmp_path)
    assert found["recency"].tolist() == [1]  # from midnight to midnight
    newest = told(("H3", -170)).with_columns(basket_id=pl.lit("new"))
    words = "household_id must have 4 baskets in the 182 days before 2024-12-19: 1 row breaks"
    with pytest.raises(UserError, match=words):
        answered(newest, folder, tmp_path)


def test_households_that_say_too_little_are_refused(folder: Path, tmp_path: Path) -> None:
    words = "must have 4 baskets in the 182 days before 2024-07-01: 2 rows break this rule"
    strangers = told(("stranger", 3), ("stranger", 4))
    for asked in (strangers, pl.concat([strangers, told(*regular("friend"))])):
        with pytest.raises(UserError, match=words) as caught:
            answered(asked, folder, tmp_path)
        assert "household_id='stranger'" in str(caught.value)


def test_a_batch_leaves_the_data_set_alone(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    answered(shop(3), folder, tmp_path)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob(".batch-*"))


def test_examples_have_the_features_of_the_table(folder: Path, table: Columns) -> None:
    requests = examples(folder, table, 20)
    assert [request.household_id for request in requests] == table["household_id"][:20].tolist()
    found: Any = features(API, requests)
    assert all(np.array_equal(found[name], table[name][:20]) for name in INPUTS)


def test_a_household_with_more_baskets_than_a_request_may_have_is_no_example(
    tmp_path: Path,
) -> None:
    many = [("A", 0.1 + n / 10) for n in range(MAX_BASKETS + 1)]
    own = collected(told(*many, *regular("B"), *many[1:], *regular("D")).with_columns(
        basket_id=pl.int_range(pl.len()).cast(pl.String)
    ), tmp_path)  # fmt: skip
    rows = columns(pl.read_parquet(own / "features.parquet"))
    assert rows["household_id"].tolist() == ["A", "B", "D"]
    assert [request.household_id for request in examples(own, rows, 9)] == ["B", "D"]
    assert [request.household_id for request in examples(own, rows, 1)] == ["B"]
