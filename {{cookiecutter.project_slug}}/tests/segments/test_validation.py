"""Baskets that break a rule are refused, with the rule, a count and examples."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from project_package.errors import UserError
from project_package.segments.features import SPENT, TRAITS
from project_package.segments.validation import LAYOUT, check

START = datetime(2024, 1, 1, 9)


def baskets(**changes: object) -> pl.DataFrame:
    """Give four baskets of two households; `changes` are of the first basket."""
    rows = [
        {"basket_id": f"B{n}", "household_id": f"H{n % 2}", "timestamp": START + timedelta(days=n)}
        | {"sales": 10.0, "discount": 1.0, "store_brand": 4.0, "fresh": 3.0, "drugstore": 2.0}
        | {"age": 30.0, "income": 42.0, "household_size": 2.0, "children": 0.0}
        for n in range(4)
    ]
    table = pl.DataFrame(rows).with_columns(pl.col("timestamp").cast(pl.Datetime("ms")))
    first = pl.int_range(pl.len()) == 0
    changed = {
        name: pl.when(first).then(pl.lit(value).cast(table.schema[name])).otherwise(name)
        for name, value in changes.items()
    }
    return table.with_columns(**changed)


def refusal(table: pl.DataFrame, folder: Path) -> str:
    table.write_parquet(folder / "rows.parquet")
    with pytest.raises(UserError) as caught:
        check(folder / "rows.parquet")
    return str(caught.value)


def passes(table: pl.DataFrame, folder: Path) -> None:
    table.write_parquet(folder / "rows.parquet")
    check(folder / "rows.parquet")
    assert [path.name for path in folder.iterdir()] == ["rows.parquet"]


def test_good_baskets_pass_and_nothing_is_left_behind(tmp_path: Path) -> None:
    assert set(LAYOUT.types) == set(baskets().columns)
    passes(baskets(), tmp_path)


@pytest.mark.parametrize("column", SPENT)
@pytest.mark.parametrize("value", [-0.01, 1e9, float("nan"), float("inf")])
def test_money_is_a_number_within_its_limits(tmp_path: Path, column: str, value: float) -> None:
    said = refusal(baskets(**{column: value}), tmp_path)
    assert f"{column} must be a number from 0 to less than 1,000,000,000: 1 row breaks" in said
    assert "basket_id='B0'" in said


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("sales", None, "sales must not be missing"),
        ("basket_id", "", "basket_id must have 1 to 64 characters"),
        ("household_id", "H" * 65, "household_id must have 1 to 64 characters"),
        ("household_id", None, "household_id must not be missing"),
        ("timestamp", None, "timestamp must not be missing"),
        ("timestamp", datetime(1989, 12, 31), "timestamp must lie between 1990-01-01 and tomorrow"),
        ("timestamp", datetime(2999, 1, 1), "timestamp must lie between 1990-01-01 and tomorrow"),
    ],
)
def test_a_basket_that_breaks_a_rule_is_named(
    tmp_path: Path, column: str, value: object, rule: str
) -> None:
    said = refusal(baskets(**{column: value}), tmp_path)
    assert rule in said
    assert "1 row breaks this rule\n    basket_id=" in said


def test_a_basket_is_there_once(tmp_path: Path) -> None:
    said = refusal(pl.concat([baskets(), baskets().head(1)]), tmp_path)
    assert "basket_id must be unique: 2 rows break this rule" in said


@pytest.mark.parametrize(
    ("name", "amount", "rule"),
    [
        ("fresh", 8.02, "sales must be at least what was spent on fresh, drugstore together"),
        ("store_brand", 10.02, "store_brand must be a part of sales"),
    ],
)
def test_parts_may_exceed_the_whole_by_a_cent_and_no_more(
    tmp_path: Path, name: str, amount: float, rule: str
) -> None:
    said = refusal(baskets(**{name: amount}), tmp_path)
    assert f"{rule}: 1 row breaks this rule" in said
    passes(baskets(**{name: amount - 0.015}), tmp_path)


@pytest.mark.parametrize("trait", TRAITS)
def test_a_trait_is_the_same_in_all_baskets_of_a_household(tmp_path: Path, trait: str) -> None:
    for value in (7.0, None):
        said = refusal(baskets(**{trait: value}), tmp_path)
        rule = f"{trait} must be the same in all baskets of a household: 2 rows break this rule"
        assert rule in said
        assert "household_id='H0'" in said


@pytest.mark.parametrize("value", [-1.0, 1e6, float("nan")])
def test_a_trait_is_a_number_within_its_limits(tmp_path: Path, value: float) -> None:
    said = refusal(baskets(income=value), tmp_path)
    assert "income must be a number from 0 to less than 1,000,000" in said


def test_traits_may_be_unknown_of_a_household_or_of_all(tmp_path: Path) -> None:
    mine = pl.col("household_id") == "H1"
    passes(baskets().with_columns(pl.when(~mine).then(pl.col(TRAITS))), tmp_path)
    passes(baskets().drop(TRAITS), tmp_path)
    passes(baskets().drop("age"), tmp_path)


def test_all_broken_rules_are_told_at_once(tmp_path: Path) -> None:
    said = refusal(baskets(discount=-1.0, store_brand=11.0, children=9.0), tmp_path)
    assert said.startswith("The baskets cannot be used; mend these rows where they come from:")
    assert said.count("\n- ") == 3
