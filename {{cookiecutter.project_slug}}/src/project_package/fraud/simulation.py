"""Simulated traffic: the days after those of the simulated data set, as they are or changed."""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..contract.simulation import Json, Simulation
from ..errors import UserError
from .dataset import ROWS_FILE
from .features import CARD, LABEL_DELAY_DAYS, TERMINAL
from .params import SIMULATOR, Data
from .schemas import Payment
from .simulator import simulate

DAYS = 90
"""How many days there are."""
FEWER_DAYS = ("split.test_weeks=2", "split.folds=1", "split.train_days=14")
"""Parameters for training on what `Simulation.collect_days` days show."""
TESTED = 0.01
"""Share of the payments with a stolen card that test it with small amounts, after `concept`."""
TESTS = 3


class Traffic:
    """Payments of simulated customers after those of the data set.

    They are simulated in one piece with earlier ones, so cards that are stolen about the last days
    of the data set are not the same as there.
    """

    def __init__(self, data: Data) -> None:
        self.data = data

    @cached_property
    def payments(self) -> pl.DataFrame:
        """All payments, from the first of the data set on."""
        data = self.data
        if data.source != SIMULATOR:
            raise UserError("Traffic is simulated after simulated payments only: send your own.")
        return simulate(data.customers, data.terminals, data.days + DAYS, data.seed)

    def day(self, _: Path, number: int) -> pl.DataFrame:
        """Return the payments of a day; raise UserError after the last."""
        if number >= DAYS:
            raise UserError(f"There are {DAYS} days of traffic: delete simulation.json to restart.")
        midnight = pl.col("timestamp").dt.epoch("d")
        first = self.payments.select(midnight.min()).item()
        return self.payments.filter(midnight == first + self.data.days + number)

    def write_source(self, folder: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
        """Write the payments of the data set too: features look back on them."""
        known = pl.read_parquet(folder / ROWS_FILE)
        pl.concat([known, rows.select(known.columns)]).write_parquet(file)
        return (f"data.source={json.dumps(str(file))}", *FEWER_DAYS)


def requests(rows: pl.DataFrame) -> list[Json]:
    """Return payments as a card network sends them."""
    texts = pl.col("timestamp").dt.to_string("iso:strict")
    payments = rows.select(*Payment.model_fields).with_columns(texts)
    return [{"transaction": payment} for payment in payments.to_dicts()]


def labels(rows: pl.DataFrame) -> list[Json]:
    """Return which payments are frauds."""
    return rows.select("transaction_id", "is_fraud").to_dicts()


def shift(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Raise all amounts, as prices do."""
    return rows.with_columns((pl.col("amount") * (1 + strength)).round(2))


def in_cents(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Send a share of the amounts in cents, as a system does after a faulty release."""
    is_wrong = pl.lit(pl.Series(random.random(len(rows)) < strength / 2))
    wrong = (pl.col("amount") * 100).round(2)
    return rows.with_columns(pl.when(is_wrong).then(wrong).otherwise("amount").alias("amount"))


def population(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Leave out payments of cards that pay less, so that other cards make most payments."""
    usual = pl.col("amount").median().over(CARD)
    is_low = rows.select(usual < pl.col("amount").median()).to_series()
    return rows.filter(~(is_low & pl.Series(random.random(len(rows)) < strength)))


def concept(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Add a new pattern of fraud: a stolen card is tested with small amounts, one after the other.

    The amounts are lower than those of other frauds, and at different terminals.
    """
    chosen = np.flatnonzero(random.random(len(rows)) < strength * TESTED)
    tests = rows[np.repeat(chosen, TESTS)]
    step = np.tile(np.arange(1, TESTS + 1), len(chosen))
    terminals = rows[TERMINAL].sample(len(tests), with_replacement=True, seed=int(chosen.sum()))
    tests = tests.with_columns(
        pl.format("{}-{}", "transaction_id", pl.Series(step)).alias("transaction_id"),
        pl.col("timestamp") + pl.duration(seconds=pl.lit(pl.Series(90 * step))),
        pl.Series("amount", np.round(random.uniform(0.5, 5, len(tests)), 2)),
        terminals.alias(TERMINAL),
        is_fraud=pl.lit(value=True),
        scenario=pl.lit(3, rows.schema["scenario"]),
    )
    night = rows["timestamp"].dt.date().max()
    kept = tests.filter(pl.col("timestamp").dt.date() == night)
    return pl.concat([rows, kept]).sort("timestamp", "transaction_id")


def make_simulation(data: Data) -> Simulation:
    """Return how payments are simulated."""
    traffic = Traffic(data)
    damages: Any = {
        "shift": shift,
        "broken": in_cents,
        "population": population,
        "concept": concept,
    }
    return Simulation(
        day=traffic.day,
        damages=damages,
        requests=requests,
        labels=labels,
        write_source=traffic.write_source,
        looks_back=True,
        label_days=LABEL_DELAY_DAYS,
        collect_days=28,
    )
