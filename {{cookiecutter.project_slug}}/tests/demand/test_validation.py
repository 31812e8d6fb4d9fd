"""Weekly rows that break a rule are refused, with the rule, a count and examples."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from demand.tables import START, weekly_table

from project_package.data.import_rows import SourceParams
from project_package.demand.validation import check_weeks
from project_package.errors import UserError

DATA = SourceParams(source="own.parquet")


def weekly() -> pl.DataFrame:
    few = weekly_table(4).filter(pl.col("product_id").is_in(["P0", "P1"]))
    return few.with_columns(pl.col("week").cast(pl.Datetime("ms")))


def passes(table: pl.DataFrame, folder: Path, sold: bool = True) -> bool:
    table.write_parquet(folder / "rows.parquet")
    check_weeks(folder / "rows.parquet", DATA, sold=sold)
    return True


def refusal(table: pl.DataFrame, folder: Path, sold: bool = True) -> str:
    with pytest.raises(UserError) as caught:
        passes(table, folder, sold)
    return str(caught.value)


def test_accepts_good_rows_and_leaves_no_files(tmp_path: Path) -> None:
    assert passes(weekly(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("units", -1.0, "units must be a number from 0 to less than 1,000,000"),
        ("units", None, "units must not be missing"),
        ("sales", float("nan"), "sales must be a number from 0"),
        ("ad_front", 1.01, "ad_front must be a number from 0 to 1"),
        ("display_end", None, "display_end must not be missing"),
        ("product_id", "", "product_id must have 1 to 64 characters"),
        ("week", START + timedelta(days=1), "week must be a Monday at 0:00"),
        ("week", START + timedelta(hours=1), "week must be a Monday at 0:00"),
        ("week", datetime(1989, 1, 2), "week must lie between 1990-01-01"),
    ],
)
def test_names_the_broken_rule(tmp_path: Path, column: str, value: object, rule: str) -> None:
    table = weekly()
    bad = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(value).cast(table.schema[column]))
    message = refusal(table.with_columns(bad.otherwise(column).alias(column)), tmp_path)
    assert rule in message
    assert "1 row breaks this rule" in message


def test_week_without_units_says_what_to_do(tmp_path: Path) -> None:
    table = weekly().with_columns(units=pl.when(pl.int_range(pl.len()) > 0).then("units"))
    _, missing, advice, row = refusal(table, tmp_path).splitlines()  # one row, of both rules
    assert missing == "- units must not be missing: 1 row breaks this rule"
    assert advice.startswith("- week must have units: write 0 where none were sold, and give weeks")
    assert row.startswith(
        "    product_id='P0', week=2024-01-01 00:00:00, department='deli', units=("
    )


def test_refuses_a_duplicate_week(tmp_path: Path) -> None:
    message = refusal(pl.concat([weekly(), weekly().head(1)]), tmp_path)
    assert "week must be unique for each product: 2 rows break this rule" in message


def test_refuses_a_missing_week(tmp_path: Path) -> None:
    gap = weekly().filter(pl.col("week") != START + timedelta(weeks=2))
    message = refusal(gap, tmp_path)
    assert "week must come a week after the product's week before it" in message
    assert "2 rows break this rule" in message
    assert "product_id='P0', week=2024-01-22" in message


def test_product_may_start_later(tmp_path: Path) -> None:
    late = (pl.col("product_id") == "P1") & (pl.col("week") < START + timedelta(weeks=2))
    assert passes(weekly().filter(~late), tmp_path)


def test_weeks_to_forecast_need_plans_but_no_sales(tmp_path: Path) -> None:
    plans = weekly().head(2).drop("units", "sales", "discount", "department")
    assert passes(plans, tmp_path, sold=False)
    broken = plans.with_columns(ad_front=pl.lit(2.0))
    assert "ad_front must be a number" in refusal(broken, tmp_path, sold=False)
