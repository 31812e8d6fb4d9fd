"""Loading payments, splitting them by time, reading a batch, and building examples."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from batches import read_in_one_and_two
from fraud.datasets import DAYS, RAW, loaded, params, payments_after

from project_package.columns import columns_of, length
from project_package.contract.training import Splits
from project_package.errors import UserError
from project_package.fraud.dataset import (
    batch_history,
    examples,
    read_batch,
    recent_events,
)
from project_package.fraud.features import ENTITIES, LABEL_DELAY_DAYS
from project_package.fraud.params import FraudParams
from project_package.fraud.schemas import PastPayment
from project_package.fraud.split import split


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


def test_batch_of_unknown_cards_starts_their_history(folder: Path, tmp_path: Path) -> None:
    new = payments_after(folder, [1, 1, 1], customer_id=pl.lit("stranger"))
    new.write_parquet(tmp_path / "new.parquet")
    found = read_batch(params(), tmp_path / "new.parquet", folder)
    assert found["customer_count_30d"].tolist() == [1, 2, 3]


def test_batch_of_files_looks_back_on_the_other_files(folder: Path, tmp_path: Path) -> None:
    new = payments_after(folder, [1, 2, 9, 10, 11, 12], is_fraud=pl.lit(value=False))
    new = new.with_columns(customer_id=pl.lit("stranger"), terminal_id=pl.lit("T1"))
    read = partial(read_batch, params())
    write_history = partial(batch_history, params())
    rows, parts = read_in_one_and_two(read, write_history, new, folder, tmp_path)
    one, two = (pl.DataFrame({**found, "customer": 0}) for found in (rows, parts))
    assert one["customer_count_30d"].to_list() == [1, 2, 3, 4, 5, 6]
    assert two.sort("timestamp").equals(one)


def test_unknown_labels_of_other_files_are_refused(folder: Path, tmp_path: Path) -> None:
    new = payments_after(folder, [1, 2, 20, 21], terminal_id=pl.lit("T1"))
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file, part in zip(files, (new[:2], new[2:]), strict=True):
        part.write_parquet(file)
    (history := tmp_path / "history").mkdir()
    with pytest.raises(UserError, match="is_fraud must be known 7 days before"):
        batch_history(params(), files, folder, history)


def test_batch_rejects_ids_of_other_payments(folder: Path, tmp_path: Path) -> None:
    new = pl.read_parquet(folder / "rows.parquet").tail(3).select(RAW)
    new.with_columns(amount=pl.col("amount") + 1).write_parquet(tmp_path / "new.parquet")
    with pytest.raises(UserError, match="must not be that of another payment: 3 rows"):
        read_batch(params(), tmp_path / "new.parquet", folder)


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
