"""Collecting payments, cutting them by time, and answering a file of new ones."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.contract import Splits, length
from project_package.errors import UserError
from project_package.fraud.data import FraudParams, batch, collect, examples, split
from project_package.fraud.features import INPUTS, LABEL_DELAY_DAYS
from project_package.fraud.simulator import simulate

DAYS = 75
SIMULATED = {"customers": 150, "terminals": 300, "days": DAYS, "seed": 5}


def params(**data: Any) -> FraudParams:
    return FraudParams.model_validate({"name": "tiny", "data": {**SIMULATED, **data}})


def collected(folder: Path, **data: Any) -> Path:
    folder.mkdir(exist_ok=True)
    collect(params(**data), folder, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return collected(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)


def test_no_label_of_training_is_younger_than_the_delay(splits: Splits) -> None:
    pairs = [(splits.train, splits.test), *((fold.train, fold.valid) for fold in splits.folds)]
    for train, later in pairs:
        assert train["day"].max() < later["day"].min() - LABEL_DELAY_DAYS


def test_all_folds_are_known_before_the_test(splits: Splits) -> None:
    for fold in splits.folds:
        assert fold.valid["day"].max() < splits.test["day"].min() - LABEL_DELAY_DAYS
    ends = [fold.valid["day"].max() for fold in splits.folds]
    assert len(set(ends)) == len(ends)


def test_the_test_is_the_last_four_weeks_and_training_one(splits: Splits) -> None:
    assert np.unique(splits.test["day"]).size == 28
    assert np.unique(splits.train["day"]).size == 7
    assert all(np.unique(fold.valid["day"]).size == 7 for fold in splits.folds)


def test_payments_of_cards_known_as_compromised_are_left_out(folder: Path, splits: Splits) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").with_columns(
        day=pl.col("timestamp").dt.epoch("d")
    )
    start, kept = splits.test["day"].min(), set(splits.test["transaction_id"])
    frauds = rows.filter(pl.col("is_fraud") & (pl.col("day") >= start - 14))
    first = dict(frauds.group_by("customer_id").agg(pl.col("day").min()).iter_rows())
    late = rows.filter(pl.col("day") >= start).select("transaction_id", "customer_id", "day")
    expected = {i for i, c, day in late.iter_rows() if day <= first.get(c, day) + LABEL_DELAY_DAYS}
    assert kept == expected
    assert len(expected) < len(late)


def test_too_few_days_are_refused_with_what_it_takes(folder: Path) -> None:
    wanting = params().model_copy(
        update={"split": params().split.model_copy(update={"train_days": 20})}
    )
    with pytest.raises(UserError, match=f"covers {DAYS} days and these splits need 76: lower"):
        split(wanting, folder)


def test_own_payments_make_the_data_that_simulated_ones_make(folder: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").drop("scenario").reverse()
    rows.rename({"customer_id": "card"}).write_csv(tmp_path / "own.csv")
    source = str(tmp_path / "own.csv")
    own = collected(tmp_path / "own", source=source, columns={"customer_id": "card"})
    expected = pl.read_parquet(folder / "features.parquet").drop("scenario")
    assert pl.read_parquet(own / "features.parquet").equals(expected)


def test_payments_that_break_a_rule_stop_the_collection(folder: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").with_columns(amount=-pl.col("amount"))
    rows.write_parquet(tmp_path / "own.parquet")
    with pytest.raises(UserError, match="amount must be a number from 0"):
        collected(tmp_path / "own", source=str(tmp_path / "own.parquet"))
    assert not (tmp_path / "own" / "features.parquet").exists()


def test_a_batch_without_labels_equals_the_table(folder: Path, tmp_path: Path) -> None:
    table = pl.read_parquet(folder / "features.parquet").tail(40)
    raw = ["transaction_id", "timestamp", "customer_id", "terminal_id", "amount"]
    table.select(raw).write_csv(tmp_path / "new.csv")
    found = batch(params(), tmp_path / "new.csv", folder)
    assert found["transaction_id"].tolist() == table["transaction_id"].to_list()
    assert all(np.array_equal(found[name], table[name].to_numpy()) for name in INPUTS)


@pytest.mark.parametrize("labels", ["of the file", "of the data set"])
def test_a_batch_of_weeks_counts_its_own_early_labels(
    folder: Path, tmp_path: Path, labels: str
) -> None:
    table = pl.read_parquet(folder / "features.parquet")
    table = table.filter(pl.col("timestamp") > pl.col("timestamp").max() - timedelta(days=16))
    raw = table.select("transaction_id", "timestamp", "customer_id", "terminal_id", "amount")
    kept = raw if labels == "of the data set" else raw.with_columns(table["is_fraud"])
    kept.write_parquet(tmp_path / "new.parquet")
    found = batch(params(), tmp_path / "new.parquet", folder)
    assert found["terminal_risk_7d"].max() > 0
    assert all(np.array_equal(found[name], table[name].to_numpy()) for name in INPUTS)


def test_an_old_label_that_no_payment_is_judged_by_may_lack(folder: Path, tmp_path: Path) -> None:
    new = pl.read_parquet(folder / "rows.parquet").tail(2).drop("is_fraud", "scenario")
    late = pl.Series([timedelta(days=1), timedelta(days=12)])
    new = new.with_columns(
        transaction_id="N" + pl.col("transaction_id"),
        timestamp=pl.col("timestamp") + late,
        terminal_id=pl.Series(["new one", "new other"]),
    )
    new.write_parquet(tmp_path / "new.parquet")
    assert length(batch(params(), tmp_path / "new.parquet", folder)) == 2


def test_an_id_of_another_payment_of_the_data_set_is_refused(folder: Path, tmp_path: Path) -> None:
    new = pl.read_parquet(folder / "rows.parquet").tail(3).drop("is_fraud", "scenario")
    new.with_columns(amount=pl.col("amount") + 1).write_parquet(tmp_path / "new.parquet")
    with pytest.raises(UserError, match="must not be that of another payment: 3 rows"):
        batch(params(), tmp_path / "new.parquet", folder)


def test_labels_that_should_have_arrived_are_asked_for(folder: Path, tmp_path: Path) -> None:
    new = pl.read_parquet(folder / "rows.parquet").tail(2).drop("is_fraud", "scenario")
    late = pl.Series([timedelta(days=1), timedelta(days=9)])
    new = new.with_columns(
        transaction_id="N" + pl.col("transaction_id"), timestamp=pl.col("timestamp") + late
    )
    new.with_columns(terminal_id=pl.lit("T")).write_parquet(tmp_path / "new.parquet")
    with pytest.raises(
        UserError, match="is_fraud must be known 7 days before a payment at its terminal"
    ):
        batch(params(), tmp_path / "new.parquet", folder)


def test_a_batch_of_unknown_cards_is_answered_too(folder: Path, tmp_path: Path) -> None:
    new = pl.read_parquet(folder / "rows.parquet").tail(3).drop("is_fraud", "scenario")
    later = new.with_columns(
        transaction_id="N" + pl.col("transaction_id"),
        customer_id=pl.lit("stranger"),
        timestamp=pl.col("timestamp") + timedelta(days=1),
    )
    later.write_parquet(tmp_path / "new.parquet")
    found = batch(params(), tmp_path / "new.parquet", folder)
    assert found["customer_count_30d"].tolist() == [1, 2, 3]


def test_a_batch_leaves_the_data_set_alone(folder: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    pl.read_parquet(folder / "rows.parquet").tail(3).write_parquet(tmp_path / "new.parquet")
    assert length(batch(params(), tmp_path / "new.parquet", folder)) == 3
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob(".batch-*"))


def test_a_batch_that_lacks_a_column_is_refused(folder: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").tail(3)
    rows.drop("amount").write_csv(tmp_path / "new.csv")
    with pytest.raises(UserError, match='has no column "amount"'):
        batch(params(), tmp_path / "new.csv", folder)


def test_half_of_the_examples_are_frauds_with_their_history(folder: Path, splits: Splits) -> None:
    requests = examples(folder, splits.test, 8)
    frauds = set(splits.test["transaction_id"][splits.test["is_fraud"]])
    assert len(requests) == 8
    assert sum(request.transaction.transaction_id in frauds for request in requests) == 4
    assert all(request.history for request in requests)


def test_an_example_carries_no_longer_history_than_a_request_may(
    folder: Path, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = sorted(len(request.history or ()) for request in examples(folder, splits.test, 8))
    monkeypatch.setattr("project_package.fraud.data.MAX_HISTORY", lengths[3])
    fitting = examples(folder, splits.test, 8)
    assert fitting
    assert max(len(request.history or ()) for request in fitting) <= lengths[3] < lengths[-1]


def test_a_request_tells_no_label_that_is_not_known_yet(folder: Path, splits: Splits) -> None:
    for request in examples(folder, splits.test, 8):
        known = request.transaction.timestamp - timedelta(days=LABEL_DELAY_DAYS)
        for past in request.history or ():
            assert (past.is_fraud is None) == (past.timestamp > known)


def test_days_whose_labels_have_not_arrived_are_history_only(tmp_path: Path) -> None:
    rows = simulate(150, 300, DAYS + 5, 5)
    late = pl.col("timestamp") > pl.col("timestamp").max() - timedelta(days=5)
    own = rows.with_columns(is_fraud=pl.when(~late).then("is_fraud")).drop("scenario")
    own.rename({"is_fraud": "chargeback"}).write_parquet(tmp_path / "own.parquet")
    names = {"is_fraud": "chargeback"}
    folder = collected(tmp_path / "set", source=str(tmp_path / "own.parquet"), columns=names)
    latest = split(params(), folder).test["day"].max()
    days = pl.read_parquet(folder / "rows.parquet")["timestamp"].dt.epoch("d").to_numpy()
    assert latest == days.max() - 6
    own.drop("is_fraud").tail(9).write_csv(tmp_path / "fresh.csv")
    assert len(batch(params(columns=names), tmp_path / "fresh.csv", folder)["amount"]) == 9
