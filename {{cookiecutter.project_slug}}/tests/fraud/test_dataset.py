"""Loading payments, splitting them by time, reading a batch, and building examples."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.columns import columns_of, length
from project_package.contract.training import Splits
from project_package.errors import UserError
from project_package.fraud.dataset import (
    compute_features,
    examples,
    load_data,
    read_batch,
    recent_events,
)
from project_package.fraud.features import ENTITIES, INPUTS, LABEL_DELAY_DAYS
from project_package.fraud.params import FraudParams
from project_package.fraud.schemas import PastPayment, Payment
from project_package.fraud.simulator import simulate
from project_package.fraud.split import split

DAYS = 89
SIMULATED = {"customers": 150, "terminals": 300, "days": DAYS, "seed": 5}
RAW = list(Payment.model_fields)


def params(**data: Any) -> FraudParams:
    return FraudParams.model_validate({"name": "tiny", "data": {**SIMULATED, **data}})


def loaded(folder: Path, **data: Any) -> Path:
    folder.mkdir(exist_ok=True)
    load_data(params(**data), folder, lambda _: None)
    compute_features(params(**data), folder, lambda _: None)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loaded(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)


def test_no_training_label_is_younger_than_the_delay(splits: Splits) -> None:
    pairs = [(splits.train, splits.test), *((fold.train, fold.valid) for fold in splits.folds)]
    for train, later in pairs:
        assert train["day"].max() < later["day"].min() - LABEL_DELAY_DAYS
    for fold in splits.folds:
        assert fold.valid["day"].max() < splits.test["day"].min() - LABEL_DELAY_DAYS


def test_splits_have_the_days_that_parameters_say(splits: Splits) -> None:
    assert np.unique(splits.test["day"]).size == 28
    assert np.unique(splits.train["day"]).size == 21
    assert all(np.unique(fold.valid["day"]).size == 7 for fold in splits.folds)
    assert len({fold.valid["day"].max() for fold in splits.folds}) == len(splits.folds)


def test_leaves_out_cards_known_as_compromised(folder: Path, splits: Splits) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").with_columns(
        day=pl.col("timestamp").dt.epoch("d")
    )
    start = splits.test["day"].min()
    frauds = rows.filter(pl.col("is_fraud") & (pl.col("day") >= start - 14))
    first = dict(frauds.group_by("customer_id").agg(pl.col("day").min()).iter_rows())
    late = rows.filter(pl.col("day") >= start).select("transaction_id", "customer_id", "day")
    expected = {i for i, c, day in late.iter_rows() if day <= first.get(c, day) + LABEL_DELAY_DAYS}
    assert set(splits.test["transaction_id"]) == expected
    assert len(expected) < len(late)


def test_too_few_days_say_how_many_are_needed(folder: Path) -> None:
    splits = [{"train_days": days, "folds": 3} for days in (26, 27)]
    enough, more = (FraudParams.model_validate({"name": "tiny", "split": s}) for s in splits)
    assert np.unique(split(enough, folder).folds[-1].train["day"]).size == 26
    with pytest.raises(UserError, match=f"covers {DAYS} days with labels and .* need 90: use more"):
        split(more, folder)


def test_own_payments_give_the_same_table(folder: Path, tmp_path: Path) -> None:
    rows = pl.read_parquet(folder / "rows.parquet").drop("scenario").reverse()
    rows.rename({"customer_id": "card"}).write_csv(tmp_path / "own.csv")
    source = str(tmp_path / "own.csv")
    own = loaded(tmp_path / "own", source=source, columns={"customer_id": "card"})
    expected = pl.read_parquet(folder / "features.parquet").drop("scenario")
    assert pl.read_parquet(own / "features.parquet").select(expected.columns).equals(expected)


@pytest.mark.parametrize("source", ["file", "sql"])
def test_broken_rule_names_the_own_column(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    own = pl.read_parquet(folder / "rows.parquet").head(20).drop("scenario")
    own = own.with_columns(pl.col("timestamp").cast(pl.String), value=-pl.col("amount") - 1)
    own.write_csv(tmp_path / "own.csv")
    data = {"source": str(tmp_path / "own.csv"), "columns": {"amount": "value"}}
    if source == "sql":
        with closing(sqlite3.connect(tmp_path / "shop.db")) as shop, shop:
            shop.execute(f"CREATE TABLE paid ({', '.join(own.columns)})")
            shop.executemany(f"INSERT INTO paid VALUES (?{', ?' * 6})", own.iter_rows())  # noqa: S608
        monkeypatch.setenv("DATA_URL", f"sqlite:///{tmp_path}/shop.db")
        data |= {"source": "sql", "query": "SELECT * FROM paid"}
    with pytest.raises(UserError) as refusal:
        loaded(tmp_path / "own", **data)
    assert not (tmp_path / "own" / "features.parquet").exists()
    lines = str(refusal.value).splitlines()
    assert lines[1].startswith('- amount (your "value") must be a number from 0')
    assert ", value=-" in next(line for line in lines[1:] if not line.startswith("- "))


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


def later(folder: Path, days: list[int], **changes: Any) -> pl.DataFrame:
    """Make new payments that many days after the last ones of the data set."""
    new = pl.read_parquet(folder / "rows.parquet").tail(len(days)).select(RAW)
    return new.with_columns(
        transaction_id="N" + pl.col("transaction_id"),
        timestamp=pl.col("timestamp") + pl.Series([timedelta(days=n) for n in days]),
    ).with_columns(**changes)


def test_batch_of_unknown_cards_starts_their_history(folder: Path, tmp_path: Path) -> None:
    new = later(folder, [1, 1, 1], customer_id=pl.lit("stranger"))
    new.write_parquet(tmp_path / "new.parquet")
    found = read_batch(params(), tmp_path / "new.parquet", folder)
    assert found["customer_count_30d"].tolist() == [1, 2, 3]


def test_batch_needs_only_labels_that_features_read(folder: Path, tmp_path: Path) -> None:
    fine = tmp_path / "fine.parquet"
    missing = tmp_path / "missing.parquet"
    later(folder, [1, 12], terminal_id=pl.Series(["a", "b"])).write_parquet(fine)
    later(folder, [1, 9], terminal_id=pl.lit("a")).write_parquet(missing)
    assert length(read_batch(params(), fine, folder)) == 2
    own = params(columns={"is_fraud": "chargeback"})
    for given, column in ((params(), "is_fraud"), (own, r'is_fraud \(your "chargeback"\)')):
        with pytest.raises(UserError, match=f"{column} must be known 7 days before a payment at"):
            read_batch(given, missing, folder)


def test_batch_rejects_ids_of_other_payments(folder: Path, tmp_path: Path) -> None:
    new = pl.read_parquet(folder / "rows.parquet").tail(3).select(RAW)
    new.with_columns(amount=pl.col("amount") + 1).write_parquet(tmp_path / "new.parquet")
    with pytest.raises(UserError, match="must not be that of another payment: 3 rows"):
        read_batch(params(), tmp_path / "new.parquet", folder)


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


def test_recent_events_are_rows_of_the_event_model(folder: Path) -> None:
    events = recent_events(folder)
    table = pl.read_parquet(folder / "rows.parquet")
    assert list(events) == list(columns_of(PastPayment))
    reach = events["timestamp"][-1] - events["timestamp"][0]
    days = max(entity.ttl for entity in ENTITIES) / timedelta(days=1)
    assert days - 1 < reach / 86_400_000 < days
    last = table.tail(length(events))
    assert events["transaction_id"].tolist() == last["transaction_id"].to_list()
    assert events["is_fraud"].tolist() == last["is_fraud"].to_list()


def test_examples_are_half_frauds_and_have_no_ids(folder: Path, splits: Splits) -> None:
    requests = examples(folder, splits.test, 8)
    test = splits.test
    frauds = set(test["amount"][test["is_fraud"]])
    assert sum(request.transaction.amount in frauds for request in requests) == 4
    assert len(requests) == 8
    text = " ".join(request.model_dump_json() for request in requests)
    assert not re.search(r'"[PCT]\d', text)  # how ids of the simulator begin


def test_examples_have_no_label_that_was_not_known(folder: Path, splits: Splits) -> None:
    for request in examples(folder, splits.test, 8):
        known = request.transaction.timestamp - timedelta(days=LABEL_DELAY_DAYS)
        for past in request.history or ():
            assert (past.is_fraud is None) == (past.timestamp > known)
