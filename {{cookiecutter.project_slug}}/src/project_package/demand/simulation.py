"""Simulated traffic, a week at a time: the last weeks of the data set again, also changed."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from ..contract.simulation import Json, Simulation
from .dataset import ROWS
from .features import PRODUCT, PROMOTED_FROM, WEEK_DAYS
from .schemas import MIN_HISTORY, PLANNED, SOLD, SoldWeek

WEEKS = MIN_HISTORY
"""How many weeks come again: a forecast needs so many before it."""
FEWER_WEEKS = ("split.test_weeks=5", "split.folds=1")
"""Parameters for training on what `Simulation.collect_days` weeks show."""
PROMOTED = pl.max_horizontal(PLANNED) >= PROMOTED_FROM


def week_after(folder: Path, number: int) -> pl.DataFrame:
    """Return a week after the data set, which is one of its last weeks under another date.

    Products that do not have each of these weeks are left out. The column `mean_units` says how
    many units are sold of a product in them.
    """
    rows = pl.read_parquet(folder / ROWS)
    weeks = rows["week"].unique().sort().tail(WEEKS)
    recent = rows.filter(pl.col("week").is_in(weeks.implode()))
    steady = recent.filter(pl.len().over(PRODUCT) == WEEKS)
    steady = steady.with_columns(mean_units=pl.col("units").mean().over(PRODUCT))
    chosen = steady.filter(pl.col("week") == weeks[number % WEEKS])
    later = pl.lit(weeks[-1]) + pl.duration(days=WEEK_DAYS * (number + 1))
    return chosen.with_columns(week=later.cast(rows.schema["week"]))


def requests(rows: pl.DataFrame) -> list[Json]:
    """Return products with the plan of the week; the server knows the weeks before."""
    plans = _with_dates(rows).select("week", *PLANNED).to_dicts()
    pairs = zip(rows[PRODUCT], plans, strict=True)
    return [{PRODUCT: product, "plan": plan} for product, plan in pairs]


def events(rows: pl.DataFrame) -> list[Json]:
    """Return the weeks when they are over, as events."""
    return _with_dates(rows).select(*SoldWeek.model_fields).to_dicts()


def _with_dates(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("week").dt.strftime("%Y-%m-%d"))


def write_source(folder: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
    """Write the weeks of the data set too: features look back on them."""
    known = pl.read_parquet(folder / ROWS)
    pl.concat([known, rows.select(known.columns)]).write_parquet(file)
    return (f"data.source={json.dumps(str(file))}", "data.columns={}", "data.read={}", *FEWER_WEEKS)


def shift(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Multiply what is sold of every product, as in the weeks before a feast."""
    return rows.with_columns((pl.col(*SOLD) * (1 + 2 * strength)).round())


def broken(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Send a share of the plans as percentages of the wrong kind: everything is advertised."""
    is_wrong = pl.lit(pl.Series(random.random(len(rows)) < strength))
    all_stores = pl.when(is_wrong).then(1.0).otherwise("ad_front")
    return rows.with_columns(all_stores.alias("ad_front"))


def population(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Leave out the half of the products of which least is sold."""
    return rows.filter(pl.col("mean_units") >= rows["mean_units"].quantile(min(1, strength / 2)))


def concept(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Multiply what is sold of promoted products: promotions work as they never did."""
    factor = pl.when(PROMOTED).then(1 + 9 * strength).otherwise(1.0)
    return rows.with_columns((pl.col(*SOLD) * factor).round())


SIMULATION = Simulation(
    day=week_after,
    damages={"shift": shift, "broken": broken, "population": population, "concept": concept},
    requests=requests,
    events=events,
    write_source=write_source,
    looks_back=True,
    collect_days=10,
)
