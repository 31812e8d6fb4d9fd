"""The feature table: the same numbers in any chunks, and no partial file."""

from pathlib import Path

import polars as pl
import pytest

from project_package.contract.training import Run
from project_package.errors import UserError
from project_package.fraud.feature_table import build_feature_table
from project_package.fraud.features import COUNTS, INPUTS
from project_package.fraud.simulator import simulate


@pytest.fixture(scope="module")
def payments() -> pl.DataFrame:
    """Simulate payments on the hour: many at once, and some exactly where a day ends."""
    payments = simulate(customers=60, terminals=120, days=75, seed=1)
    return payments.with_columns(pl.col("timestamp").dt.truncate("1h"))


def build(payments: pl.DataFrame, target: Path) -> pl.DataFrame:
    build_feature_table(payments.lazy(), target)
    return pl.read_parquet(target)


def test_chunks_equal_the_whole_table(run: Run, payments: pl.DataFrame, tmp_path: Path) -> None:
    done: list[float] = []
    payments.write_parquet(tmp_path / "rows")
    rows = pl.scan_parquet(tmp_path / "rows")
    build_feature_table(rows, tmp_path / "chunks", done.append, rows_at_once=1, run=run)
    assert done == [0.5, 1]
    assert pl.read_parquet(tmp_path / "chunks").equals(build(payments, tmp_path / "whole"))


def test_table_keeps_columns_and_adds_features(payments: pl.DataFrame, tmp_path: Path) -> None:
    built = build(payments, tmp_path / "features.parquet")
    assert built.select(payments.columns).equals(payments)
    assert {*built.columns} == {*payments.columns, *INPUTS, *COUNTS}
    assert set(built.dtypes[len(payments.columns) :]) == {pl.Float32()}
    assert [path.name for path in tmp_path.iterdir()] == ["features.parquet"]


def test_failure_keeps_the_old_table(payments: pl.DataFrame, tmp_path: Path) -> None:
    target = tmp_path / "f.parquet"
    target.write_text("old")
    with pytest.raises(ValueError, match="not in order of time"):
        build_feature_table(payments.reverse().lazy(), target)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_rejects_an_empty_table(payments: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There are no payments"):
        build(payments.clear(), tmp_path / "f.parquet")
