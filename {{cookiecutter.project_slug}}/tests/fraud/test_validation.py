"""Payments that break a rule are refused, with the rule, a count and examples."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from project_package.data.violations import Violation
from project_package.errors import UserError
from project_package.fraud.params import Data
from project_package.fraud.simulator import simulate
from project_package.fraud.validation import broken_by_table, check_payments

DATA = Data(source="own.parquet", max_blank=0)

LABELS = "must be known after 7 days, except for the share data.max_blank"


@pytest.fixture(scope="module")
def payments() -> pl.DataFrame:
    return simulate(customers=100, terminals=200, days=20, seed=3)


def first(count: int, column: str, bad: object) -> pl.Expr:
    """Replace the first values of a column."""
    value = pl.lit(bad).cast(pl.String) if isinstance(bad, str) else pl.lit(bad)
    return pl.when(pl.int_range(pl.len()) < count).then(value).otherwise(column).alias(column)


def refusal(payments: pl.DataFrame, folder: Path) -> list[str]:
    payments.write_parquet(folder / "rows.parquet")
    with pytest.raises(UserError) as caught:
        check_payments(folder / "rows.parquet", DATA)
    assert [path.name for path in folder.iterdir()] == ["rows.parquet"]
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("column", "bad", "rule"),
    [
        ("transaction_id", None, "must not be missing"),
        ("customer_id", "", "must have 1 to 64 characters"),
        ("terminal_id", "T" * 65, "must have 1 to 64 characters"),
        ("terminal_id", None, "must not be missing"),
        ("timestamp", None, "must not be missing"),
        ("timestamp", datetime(1970, 1, 1), "must lie between 1990-01-01 and tomorrow (UTC)"),
        ("timestamp", datetime(9999, 1, 1), "must lie between 1990-01-01 and tomorrow (UTC)"),
        ("amount", None, "must not be missing"),
        ("amount", -0.01, "must be a number from 0 to less than 1,000,000,000"),
        ("amount", 1e9, "must be a number from 0 to less than 1,000,000,000"),
        ("amount", float("inf"), "must be a number from 0 to less than 1,000,000,000"),
        ("amount", 12.34567, "must have four decimals at most"),
        ("is_fraud", None, LABELS),
    ],
)
def test_each_rule_is_reported_alone(
    payments: pl.DataFrame, tmp_path: Path, column: str, bad: object, rule: str
) -> None:
    said = refusal(payments.with_columns(first(4, column, bad)), tmp_path)
    assert said[1] == f"- {column} {rule}: 4 rows break this rule"
    assert len(said) == 5
    shown = "(missing)" if bad is None else repr(bad) if isinstance(bad, str) else str(bad)
    assert all(f"{column}={shown}" in line for line in said[2:])


def test_all_broken_rules_are_reported_at_once(payments: pl.DataFrame, tmp_path: Path) -> None:
    broken = first(1, "customer_id", ""), first(2, "amount", -1.5), first(2, "transaction_id", "P")
    said = refusal(payments.with_columns(broken), tmp_path)
    assert [line.removesuffix(" this rule") for line in said if line.startswith("-")] == [
        "- customer_id must have 1 to 64 characters: 1 row breaks",
        "- amount must be a number from 0 to less than 1,000,000,000: 2 rows break",
        "- transaction_id must be unique: 2 rows break",
    ]
    assert "transaction_id='P'" in said[-1]


def test_nan_is_a_missing_amount(payments: pl.DataFrame, tmp_path: Path) -> None:
    said = refusal(payments.with_columns(first(4, "amount", float("nan"))), tmp_path)
    assert said[1] == "- amount must not be missing: 4 rows break this rule"


LAST = pl.col("timestamp").max()
TOMORROW = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=20)


@pytest.mark.parametrize(
    "change",
    [
        pl.when(pl.col("timestamp") <= LAST - timedelta(days=7)).then("is_fraud").alias("is_fraud"),
        (pl.col("timestamp") + (pl.lit(TOMORROW) - LAST)).dt.cast_time_unit("ms"),
        *(pl.lit(amount).alias("amount") for amount in (0.0, 0.1 + 0.2, 999_999_999.9999, 0.0001)),
    ],
)
def test_values_within_the_rules_pass(
    payments: pl.DataFrame, tmp_path: Path, change: pl.Expr
) -> None:
    payments.with_columns(change).write_parquet(tmp_path / "rows.parquet")
    check_payments(tmp_path / "rows.parquet", DATA)


def test_share_of_blank_labels_is_a_parameter(
    payments: pl.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = payments.with_columns(is_fraud=pl.when(pl.int_range(pl.len()) % 2 == 0).then("is_fraud"))
    due = half.filter(pl.col("timestamp") <= LAST - timedelta(days=7))
    blank = due["is_fraud"].null_count()
    half.write_parquet(tmp_path / "rows.parquet")
    check_payments(tmp_path / "rows.parquet", Data(max_blank=blank / len(due)))
    assert caplog.messages == [f"Payments without is_fraud, which only features count: {blank:,}."]
    with pytest.raises(UserError, match=f"{LABELS}: {blank:,} rows break this rule"):
        check_payments(tmp_path / "rows.parquet", Data(max_blank=blank / len(due) - 1e-6))


@pytest.mark.parametrize("label", [True, False])
def test_both_labels_are_needed(payments: pl.DataFrame, tmp_path: Path, label: bool) -> None:
    said = refusal(payments.with_columns(is_fraud=pl.lit(label)), tmp_path)
    assert said[1].startswith(f"- is_fraud must be {str(not label).lower()} in at least one row")


def test_table_rule_shows_its_first_rows() -> None:
    with duckdb.connect() as duck:
        table = duck.sql("SELECT range AS x FROM range(10)")
        rules = [("x", "must be small", "x > 4"), ("x", "must not be missing", "x IS NULL")]
        found = broken_by_table(table, rules, ["x"])
    assert found == [Violation("x", "must be small", 5, [{"x": 5}, {"x": 6}, {"x": 7}])]
