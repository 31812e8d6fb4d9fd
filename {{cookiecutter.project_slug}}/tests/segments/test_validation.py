"""Baskets that break a rule are refused, with the rule, a count and examples."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from segments.tables import baskets

from project_package.data.import_rows import SourceParams
from project_package.errors import UserError
from project_package.segments.features import TRAITS
from project_package.segments.validation import check_baskets

DATA = SourceParams(source="own.parquet")


def four(**changes: object) -> pl.DataFrame:
    """Return baskets of two households with known traits; `changes` are of the first basket."""
    bought = baskets(("H0", 4), ("H1", 3), ("H0", 2), ("H1", 1))
    table = bought.with_columns(pl.lit(1.0).alias(name) for name in TRAITS)
    first = pl.int_range(pl.len()) == 0
    changed = {
        name: pl.when(first).then(pl.lit(value).cast(table.schema[name])).otherwise(name)
        for name, value in changes.items()
    }
    return table.with_columns(**changed)


def refusal(table: pl.DataFrame, folder: Path) -> str:
    table.write_parquet(folder / "rows.parquet")
    with pytest.raises(UserError) as caught:
        check_baskets(folder / "rows.parquet", DATA)
    return str(caught.value)


def passes(table: pl.DataFrame, folder: Path) -> None:
    table.write_parquet(folder / "rows.parquet")
    check_baskets(folder / "rows.parquet", DATA)
    assert [path.name for path in folder.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("sales", None, "sales must not be missing"),
        ("sales", float("inf"), "sales must be a number from 0 to less than 1,000,000,000"),
        ("fresh", -0.01, "fresh must be a number from 0 to less than 1,000,000,000"),
        ("drugstore", float("nan"), "drugstore must be a number from 0 to less than"),
        ("income", 1e6, "income must be a number from 0 to less than 1,000,000"),
        ("basket_id", "", "basket_id must have 1 to 64 characters"),
        ("timestamp", datetime(1989, 12, 31), "timestamp must lie between 1990-01-01 and tomorrow"),
    ],
)
def test_names_the_broken_rule(tmp_path: Path, column: str, value: object, rule: str) -> None:
    message = refusal(four(**{column: value}), tmp_path)
    assert rule in message
    assert "1 row breaks this rule\n    basket_id=" in message


def test_refuses_a_duplicate_basket(tmp_path: Path) -> None:
    message = refusal(pl.concat([four(), four().head(1)]), tmp_path)
    assert "basket_id must be unique: 2 rows break this rule" in message


@pytest.mark.parametrize(
    ("name", "amount", "rule"),
    [
        ("fresh", 9.02, "sales must be at least what was spent on fresh, drugstore together"),
        ("store_brand", 10.02, "store_brand must be a part of sales"),
    ],
)
def test_parts_may_exceed_the_whole_by_a_cent(
    tmp_path: Path, name: str, amount: float, rule: str
) -> None:
    message = refusal(four(**{name: amount}), tmp_path)
    assert f"{rule}: 1 row breaks this rule" in message
    passes(four(**{name: amount - 0.015}), tmp_path)


@pytest.mark.parametrize("trait", TRAITS)
def test_refuses_a_trait_that_differs_in_a_household(tmp_path: Path, trait: str) -> None:
    for value in (7.0, None):
        message = refusal(four(**{trait: value}), tmp_path)
        rule = f"{trait} must be the same in all baskets of a household: 2 rows break this rule"
        assert rule in message


def test_traits_may_be_unknown(tmp_path: Path) -> None:
    mine = pl.col("household_id") == "H1"
    passes(four().with_columns(pl.when(~mine).then(pl.col(TRAITS))), tmp_path)
    passes(four().drop(TRAITS), tmp_path)
    passes(four().drop("age"), tmp_path)
