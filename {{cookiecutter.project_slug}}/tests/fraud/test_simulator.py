"""Simulated payments against the published description."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from project_package.data.field_rules import types_of
from project_package.fraud.schemas import PastPayment
from project_package.fraud.simulator import simulate


@pytest.fixture(scope="module")
def payments() -> pl.DataFrame:
    """Simulate a fifth of the published size, all of its days."""
    return simulate(customers=1_000, terminals=2_000, days=183, seed=3)


def test_rows_and_frauds_match_the_published_counts(payments: pl.DataFrame) -> None:
    assert len(payments) == pytest.approx(1_754_155 / 5, rel=0.06)
    share = payments["is_fraud"].mean()
    assert isinstance(share, float)
    assert share == pytest.approx(0.0084, abs=0.0015)


def test_scenarios_have_the_published_shares(payments: pl.DataFrame) -> None:
    kinds = payments.filter("is_fraud")["scenario"].value_counts(normalize=True).sort("scenario")
    assert kinds["scenario"].to_list() == [1, 2, 3]
    assert kinds["proportion"].to_list() == pytest.approx([0.07, 0.62, 0.31], abs=0.08)


def test_columns_are_typed_sorted_and_complete(payments: pl.DataFrame) -> None:
    assert types_of(PastPayment).keys() < set(payments.columns)
    assert payments.schema["timestamp"] == pl.Datetime("ms")
    assert payments.null_count().sum_horizontal().item() == 0
    assert payments["timestamp"].is_sorted()
    assert payments["transaction_id"].is_sorted()
    assert payments["transaction_id"].n_unique() == len(payments)
    assert payments.select((pl.col("scenario") > 0) == pl.col("is_fraud")).to_series().all()


def test_amounts_have_two_decimals_and_published_spread(payments: pl.DataFrame) -> None:
    amounts = payments["amount"].to_numpy()
    assert amounts.min() >= 0
    assert np.array_equal(np.round(amounts, 2), amounts)
    cards = (
        payments.filter(scenario=0)
        .group_by("customer_id")
        .agg(mean=pl.col("amount").mean(), spread=pl.col("amount").std(), rows=pl.len())
    )
    unclipped = cards.filter((pl.col("mean") < 60) & (pl.col("rows") > 200))
    # Half the mean, less because negative amounts are drawn again.
    assert (unclipped["spread"] / unclipped["mean"]).mean() == pytest.approx(0.461, abs=0.01)


def test_large_amounts_and_stolen_cards_follow_the_book(payments: pl.DataFrame) -> None:
    assert payments.filter(pl.col("amount") > 220)["is_fraud"].all()
    mean = pl.col("amount").filter(pl.col("scenario") == 0).mean().over("customer_id")
    stolen = payments.with_columns(ratio=pl.col("amount") / mean).filter(scenario=3)
    assert stolen["ratio"].mean() == pytest.approx(5, abs=0.5)


def test_terminals_are_compromised_for_28_days(payments: pl.DataFrame) -> None:
    taken = (
        payments.filter(scenario=2)
        .group_by("terminal_id")
        .agg(days=(pl.col("timestamp").max() - pl.col("timestamp").min()).dt.total_days())
    )
    assert taken["days"].median() == pytest.approx(26, abs=2)


def test_smaller_data_has_the_same_density(payments: pl.DataFrame) -> None:
    def terminals_of_a_card(rows: pl.DataFrame) -> object:
        early = rows.filter(pl.col("timestamp") < datetime(2018, 5, 31)).group_by("customer_id")
        return early.agg(pl.col("terminal_id").n_unique())["terminal_id"].mean()

    smaller = simulate(customers=500, terminals=1_000, days=60, seed=3)
    assert terminals_of_a_card(smaller) == pytest.approx(terminals_of_a_card(payments), rel=0.15)


def test_same_seed_gives_the_same_data() -> None:
    one, same, other = (simulate(100, 200, 10, seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)
