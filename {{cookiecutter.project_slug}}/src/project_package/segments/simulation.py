"""Simulated traffic: each month, ask for the segment of every household, then send its baskets.

A month has four weeks. The baskets of the newest six months come again under other dates, so that
the half year that features look back on stays as it was, unless a damage changes it.
"""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from ..columns import TIMESTAMP
from ..contract.simulation import Json, Simulation
from .dataset import ROWS, midnight_after
from .features import HOUSEHOLD, MIN_BASKETS, SPENT
from .schemas import BoughtBasket

MONTH = timedelta(weeks=4)
MONTHS = 6
"""How many months come again."""


def month_after(folder: Path, number: int) -> pl.DataFrame:
    """Return a month after the data set.

    Its rows are a moment (`is_now`) of each household, at the start of the month, and baskets; both
    have the number of its baskets in the six months, `frequency`.
    """
    rows = pl.read_parquet(folder / ROWS)
    end = midnight_after(rows)
    month = (end - MONTHS * MONTH) + MONTH * (number % MONTHS)
    later = MONTH * MONTHS * (number // MONTHS + 1)
    time = pl.col(TIMESTAMP)
    recent = rows.filter(time >= end - MONTHS * MONTH)
    counted = recent.with_columns(frequency=pl.len().over(HOUSEHOLD))
    steady = counted.filter(pl.col("frequency") >= MIN_BASKETS)
    bought = steady.filter((time >= month) & (time < month + MONTH)).with_columns(
        pl.format("{}-{}", "basket_id", pl.lit(number)).alias("basket_id"),
        time + later,
        is_now=pl.lit(value=False),
    )
    now = pl.lit(month + later).cast(rows.schema[TIMESTAMP]).alias(TIMESTAMP)
    once = steady.select(HOUSEHOLD, "frequency").unique()
    moments = once.with_columns(now, is_now=pl.lit(value=True))
    return pl.concat([moments, bought], how="diagonal").sort(TIMESTAMP, "is_now", HOUSEHOLD)


def requests(rows: pl.DataFrame) -> list[Json]:
    """Ask for the segment of each household; the server knows the baskets before."""
    moments = rows.filter("is_now")
    return moments.select(HOUSEHOLD, _text().alias("as_of")).to_dicts()


def events(rows: pl.DataFrame) -> list[Json]:
    """Return the baskets."""
    baskets = rows.remove("is_now").with_columns(_text())
    return baskets.select(*BoughtBasket.model_fields).to_dicts()


def _text() -> pl.Expr:
    return pl.col(TIMESTAMP).dt.to_string("iso:strict")


def write_source(folder: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
    """Write the baskets of the data set too: features look back on them."""
    known = pl.read_parquet(folder / ROWS)
    baskets = rows.remove("is_now").select(known.columns)
    pl.concat([known, baskets]).write_parquet(file)
    return (f"data.source={json.dumps(str(file))}", "data.columns={}", "data.read={}")


def shift(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Raise all amounts, as prices do."""
    return rows.with_columns((pl.col(SPENT) * (1 + strength)).round(2))


def broken(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Set the amount of fresh goods to 0 in a share of the baskets."""
    is_lost = pl.lit(pl.Series(random.random(len(rows)) < strength))
    return rows.with_columns(pl.when(is_lost).then(0.0).otherwise("fresh").alias("fresh"))


def population(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Leave out the half of the households that buys most often."""
    limit = rows.filter("is_now")["frequency"].quantile(max(0, 1 - strength / 2))
    return rows.filter(pl.col("frequency") <= limit)


SIMULATION = Simulation(
    day=month_after,
    damages={"shift": shift, "broken": broken, "population": population},
    requests=requests,
    events=events,
    write_source=write_source,
    looks_back=True,
    collect_days=MONTHS + 1,
)
