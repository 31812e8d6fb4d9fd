"""Labels that are late or blank: which payments count in features, and which are fitted."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fraud.datasets import DAYS, RAW, loaded, params, payments_after

from project_package.columns import length
from project_package.contract.training import Splits
from project_package.errors import UserError
from project_package.fraud.dataset import (
    examples,
    read_batch,
    recent_events,
)
from project_package.fraud.features import INPUTS, LABEL_DELAY_DAYS
from project_package.fraud.simulator import simulate
from project_package.fraud.split import split


@pytest.mark.parametrize("columns", [RAW, [*RAW, "is_fraud"]])
def test_long_batch_counts_labels_of_file_or_data_set(
    folder: Path, tmp_path: Path, columns: list[str]
) -> None:
    table = pl.read_parquet(folder / "features.parquet")
    table = table.filter(pl.col("timestamp") > pl.col("timestamp").max() - timedelta(days=16))
    table.select(columns).write_parquet(tmp_path / "new.parquet")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    found = read_batch(params(), tmp_path / "new.parquet", folder)
    assert found["terminal_risk_7d"].max() > 0
    assert all(np.array_equal(found[name], table[name].to_numpy()) for name in INPUTS)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob(".batch-*"))


def test_batch_needs_only_labels_that_features_read(folder: Path, tmp_path: Path) -> None:
    fine = tmp_path / "fine.parquet"
    missing = tmp_path / "missing.parquet"
    payments_after(folder, [1, 12], terminal_id=pl.Series(["a", "b"])).write_parquet(fine)
    payments_after(folder, [1, 9], terminal_id=pl.lit("a")).write_parquet(missing)
    assert length(read_batch(params(), fine, folder)) == 2
    own = params(columns={"is_fraud": "chargeback"})
    for given, column in ((params(), "is_fraud"), (own, r'is_fraud \(your "chargeback"\)')):
        with pytest.raises(UserError, match=f"{column} must be known 7 days before a payment at"):
            read_batch(given, missing, folder)


def test_days_with_unknown_labels_are_history_only(tmp_path: Path) -> None:
    rows = simulate(150, 300, DAYS + 5, 5)
    late = pl.col("timestamp") > pl.col("timestamp").max() - timedelta(days=5)
    own = rows.with_columns(is_fraud=pl.when(~late).then("is_fraud")).drop("scenario")
    own.write_parquet(tmp_path / "own.parquet")
    folder = loaded(tmp_path / "set", source=str(tmp_path / "own.parquet"))
    days = pl.read_parquet(folder / "rows.parquet")["timestamp"].dt.epoch("d").to_numpy()
    assert split(params(), folder).test["day"].max() == days.max() - 6
    assert np.isnan(recent_events(folder)["is_fraud"]).any()


@pytest.fixture(scope="module")
def blank(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Load the same payments without the label of every fifth one that is old and genuine."""
    rows = pl.read_parquet(folder / "rows.parquet").drop("scenario")
    old = pl.col("timestamp") <= pl.col("timestamp").max() - timedelta(days=LABEL_DELAY_DAYS)
    fifth = old & (pl.int_range(pl.len()) % 5 == 0) & ~pl.col("is_fraud")
    target = tmp_path_factory.mktemp("blank")
    own = rows.with_columns(is_fraud=pl.when(~fifth).then("is_fraud"))
    own.write_parquet(target / "own.parquet")
    return loaded(target / "set", source=str(target / "own.parquet"))


def test_payments_without_label_count_in_features_only(blank: Path, splits: Splits) -> None:
    found = split(params(), blank)
    pairs = [(found.train, splits.train), (found.test, splits.test)]
    pairs += [(a.valid, b.valid) for a, b in zip(found.folds, splits.folds, strict=True)]
    features = pl.read_parquet(blank / "features.parquet").filter(pl.col("is_fraud").is_not_null())
    for part, whole in pairs:
        known = np.isin(whole["transaction_id"], features["transaction_id"].to_numpy())
        assert part["unlabelled"].tolist() == [np.sum(~known)] * int(np.sum(known))
        assert all(np.array_equal(part[name], whole[name][known]) for name in [*INPUTS, "is_fraud"])
        assert known.mean() < 0.9


def test_batch_and_examples_count_blank_labels_as_features_do(blank: Path, tmp_path: Path) -> None:
    table = pl.read_parquet(blank / "features.parquet")
    table = table.filter(pl.col("timestamp") > pl.col("timestamp").max() - timedelta(days=6))
    table.select(RAW).write_parquet(tmp_path / "new.parquet")
    found = read_batch(params(), tmp_path / "new.parquet", blank)
    assert all(np.array_equal(found[name], table[name].to_numpy()) for name in INPUTS)
    assert len(examples(blank, split(params(), blank).test, 8)) == 8


def test_batch_counts_few_labels_that_did_not_arrive(folder: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(folder / "features.parquet")
    start = pl.col("timestamp").max() - timedelta(days=10)
    recent = pl.col("timestamp") > start - timedelta(days=7)
    new = rows.filter(pl.col("timestamp") > start).select(RAW)
    new.filter(pl.col("timestamp") < start + timedelta(days=6)).write_parquet(tmp_path / "new.pq")
    for every, accepted in ((9, True), (2, False)):
        gone = recent & (pl.int_range(pl.len()) % every == 0) & ~pl.col("is_fraud")
        past = rows.with_columns(is_fraud=pl.when(~gone).then("is_fraud")).filter(
            pl.col("timestamp") <= start
        )
        past.write_parquet(tmp_path / "rows.parquet")
        if accepted:
            found = read_batch(params(), tmp_path / "new.pq", tmp_path)
            expected = rows.filter(pl.col("transaction_id").is_in(found["transaction_id"].tolist()))
            assert all(np.array_equal(found[name], expected[name].to_numpy()) for name in INPUTS)
        else:
            with pytest.raises(UserError, match="is_fraud must be known 7 days before a payment"):
                read_batch(params(), tmp_path / "new.pq", tmp_path)


def test_test_ends_with_the_labels_that_are_known(tmp_path: Path) -> None:
    rows = simulate(150, 300, DAYS + 14, 5).drop("scenario")
    late = pl.col("timestamp") > pl.col("timestamp").max().dt.truncate("1d") - timedelta(days=13)
    early = late & ~pl.col("is_fraud")  # frauds are known first: those days would be all frauds
    own = rows.with_columns(is_fraud=pl.when(~early).then("is_fraud"))
    own.write_parquet(tmp_path / "own.parquet")
    folder = loaded(tmp_path / "set", source=str(tmp_path / "own.parquet"))
    days = pl.read_parquet(folder / "rows.parquet")["timestamp"].dt.epoch("d").to_numpy()
    assert split(params(), folder).test["day"].max() == days.max() - 14


@pytest.mark.parametrize("frauds", ["<", ">="])
def test_each_part_of_the_split_needs_frauds(tmp_path: Path, frauds: str) -> None:
    rows = simulate(150, 300, DAYS, 5).drop("scenario")
    middle = pl.col("timestamp").max() - timedelta(days=30)
    kept = pl.col("timestamp") < middle if frauds == "<" else pl.col("timestamp") >= middle
    own = rows.with_columns(pl.col("is_fraud") & kept)
    own.write_parquet(tmp_path / "own.parquet")
    folder = loaded(tmp_path / "set", source=str(tmp_path / "own.parquet"))
    what = "7 days from 2018-06-01" if frauds == "<" else "21 days from 2018-05-04"
    with pytest.raises(UserError, match=f"The {what} have .* payments with a label, 0 of them"):
        split(params(), folder)


def test_examples_have_no_label_that_was_not_known(folder: Path, splits: Splits) -> None:
    for request in examples(folder, splits.test, 8):
        known = request.transaction.timestamp - timedelta(days=LABEL_DELAY_DAYS)
        for past in request.history or ():
            assert (past.is_fraud is None) == (past.timestamp > known)
