"""The feature step: the same numbers however the table is cut, and nothing half written."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from project_package.errors import UserError
from project_package.fraud.features import INPUTS
from project_package.fraud.simulator import simulate
from project_package.fraud.table import (
    HISTORY_DAYS,
    PROGRAM_MIB,
    build_feature_table,
    stretches,
)

START = datetime(2024, 1, 1)


@pytest.fixture(scope="module")
def payments() -> pl.DataFrame:
    """Give payments on the hour: many at once, and some exactly where a day ends."""
    payments = simulate(customers=60, terminals=120, days=75, seed=1)
    return payments.with_columns(pl.col("timestamp").dt.truncate("1h"))


def build(payments: pl.DataFrame, target: Path) -> pl.DataFrame:
    build_feature_table(payments.lazy(), target)
    return pl.read_parquet(target)


def test_a_table_cut_into_stretches_equals_the_whole(
    payments: pl.DataFrame, tmp_path: Path
) -> None:
    done: list[float] = []
    build_feature_table(payments.lazy(), tmp_path / "cut.parquet", PROGRAM_MIB + 2, done.append)
    assert len(done) > 2
    assert done == sorted(done)
    assert done[-1] == 1
    assert pl.read_parquet(tmp_path / "cut.parquet").equals(build(payments, tmp_path / "whole"))


def test_the_table_keeps_the_payments_and_adds_float32_features(
    payments: pl.DataFrame, tmp_path: Path
) -> None:
    built = build(payments, tmp_path / "features.parquet")
    assert built.select(payments.columns).equals(payments)
    assert built.columns == [*payments.columns, *(n for n in INPUTS if n != "amount")]
    assert set(built.dtypes[len(payments.columns) :]) == {pl.Float32()}
    assert [path.name for path in tmp_path.iterdir()] == ["features.parquet"]


def test_real_payments_need_no_scenario(payments: pl.DataFrame, tmp_path: Path) -> None:
    assert "scenario" not in build(payments.drop("scenario"), tmp_path / "f.parquet").columns


def test_labels_may_be_unknown_for_seven_days(payments: pl.DataFrame, tmp_path: Path) -> None:
    recent = pl.col("timestamp") > pl.col("timestamp").max() - timedelta(days=7)
    hidden = payments.with_columns(is_fraud=pl.when(~recent).then("is_fraud"))
    known, unknown = (build(rows, tmp_path / "f.parquet") for rows in (payments, hidden))
    assert unknown["is_fraud"].null_count() > 0
    assert unknown.drop("is_fraud").equals(known.drop("is_fraud"))


def test_a_failure_keeps_the_old_table(payments: pl.DataFrame, tmp_path: Path) -> None:
    target = tmp_path / "f.parquet"
    target.write_text("old")
    with pytest.raises(ValueError, match="not in order of time"):
        build_feature_table(payments.reverse().lazy(), target)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_no_payments_are_refused(payments: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no payments"):
        build(payments.clear(), tmp_path / "f.parquet")


def test_stretches_follow_one_another_and_reach_back() -> None:
    parts = stretches(START, np.full(100, 40_000), memory_limit_mib=1_024)
    assert len(parts) > 1
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    assert (parts[0].start, parts[-1].end) == (START, START + timedelta(days=100))
    assert all(p.history == max(START, p.start - timedelta(HISTORY_DAYS)) for p in parts)


def test_a_limit_too_small_for_a_day_says_what_it_takes() -> None:
    counts = np.full(60, 1_000_000)
    with pytest.raises(UserError, match="allow at least") as refusal:
        stretches(START, counts, memory_limit_mib=1_024)
    need = int(str(refusal.value).split()[-2])
    assert stretches(START, counts[:1], memory_limit_mib=need)
