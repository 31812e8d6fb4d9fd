"""Weekly rows that break a rule are refused, with the rule, a count and examples."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from project_package.demand.features import PLANS
from project_package.demand.validation import check
from project_package.errors import UserError

MONDAY = datetime(2024, 1, 1)


def weekly(weeks: int = 4) -> pl.DataFrame:
    rows = [
        {"product_id": product, "week": MONDAY + timedelta(weeks=week), "department": "deli"}
        for week in range(weeks)
        for product in ("A", "B")
    ]
    numbers = dict.fromkeys(("units", "sales", "discount", *PLANS), 0.5)
    table = pl.DataFrame(rows).with_columns(**{name: pl.lit(v) for name, v in numbers.items()})
    return table.with_columns(pl.col("week").cast(pl.Datetime("ms")))


def refusal(table: pl.DataFrame, folder: Path, sold: bool = True) -> str:
    table.write_parquet(folder / "rows.parquet")
    with pytest.raises(UserError) as caught:
        check(folder / "rows.parquet", sold=sold)
    return str(caught.value)


def test_good_rows_pass(tmp_path: Path) -> None:
    weekly().write_parquet(tmp_path / "rows.parquet")
    check(tmp_path / "rows.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("units", -1.0, "units must be a number from 0 to less than 1,000,000"),
        ("units", None, "units must not be missing"),
        ("sales", float("nan"), "sales must be a number from 0"),
        ("ad_front", 1.01, "ad_front must be a share from 0 to 1"),
        ("display_end", None, "display_end must not be missing"),
        ("product_id", "", "product_id must have 1 to 64 characters"),
        ("week", MONDAY + timedelta(days=1), "week must be a Monday at 0:00"),
        ("week", MONDAY + timedelta(hours=1), "week must be a Monday at 0:00"),
        ("week", datetime(1989, 1, 2), "week must lie between 1990-01-01"),
    ],
)
def test_a_row_that_breaks_a_rule_is_named(
    tmp_path: Path, column: str, value: object, rule: str
) -> None:
    first = pl.int_range(pl.len()) == 0
    table = weekly()
    bad = pl.lit(value).cast(table.schema[column])
    said = refusal(
        table.with_columns(pl.when(first).then(bad).otherwise(column).alias(column)), tmp_path
    )
    assert rule in said
    assert "1 row breaks this rule" in said


def test_a_week_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    table = weekly()
    said = refusal(pl.concat([table, table.head(1)]), tmp_path)
    assert "week must be there once for each product: 2 rows break this rule" in said


def test_a_week_that_is_missing_is_refused(tmp_path: Path) -> None:
    said = refusal(weekly().filter(~pl.col("week").is_in([MONDAY + timedelta(weeks=2)])), tmp_path)
    assert "week must come a week after the product's week before it" in said
    assert "2 rows break this rule" in said
    assert "product_id='A', week=2024-01-22" in said


def test_a_product_may_begin_later(tmp_path: Path) -> None:
    late = (pl.col("product_id") == "B") & (pl.col("week") < MONDAY + timedelta(weeks=2))
    weekly().filter(~late).write_parquet(tmp_path / "rows.parquet")
    check(tmp_path / "rows.parquet")


def test_weeks_to_forecast_need_plans_but_no_sales(tmp_path: Path) -> None:
    plans = weekly(1).drop("units", "sales", "discount", "department")
    plans.write_parquet(tmp_path / "rows.parquet")
    check(tmp_path / "rows.parquet", sold=False)
    broken = plans.with_columns(ad_front=pl.lit(2.0))
    assert "ad_front must be a share" in refusal(broken, tmp_path, sold=False)
