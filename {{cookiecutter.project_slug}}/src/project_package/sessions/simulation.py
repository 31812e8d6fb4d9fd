"""Simulated traffic, a week at a time: households buy again what they have bought in the year."""

import json
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from ..columns import TIMESTAMP
from ..contract.simulation import Json, Simulation
from .dataset import ROWS
from .features import HOUSEHOLD, ITEM
from .metrics import TOP_K
from .schemas import MAX_ITEMS

WEEKS = 6
"""How many weeks come again, with baskets of the same sizes at the same times."""
EXPLORED = 0.24
"""Share of items that are drawn from what others buy: in the published purchases, the share that
the household did not buy before."""
FEWER_WEEKS = ("split.test_weeks=2", "split.fold_weeks=2")
"""Parameters for training on what `Simulation.collect_days` weeks show."""


def week_after(folder: Path, number: int) -> pl.DataFrame:
    """Return a week after the data set: one of its last weeks under another date.

    Each household draws its items from those of its year, so the frequent ones come most often.
    """
    rows = pl.read_parquet(folder / ROWS).sort(HOUSEHOLD, TIMESTAMP, ITEM)
    ago = (pl.col(TIMESTAMP).max() - pl.col(TIMESTAMP)).dt.total_days() // 7
    own = rows.with_row_index("first").group_by(HOUSEHOLD).agg(pl.len(), pl.col("first").min())
    dated = rows.filter(ago == WEEKS - 1 - number % WEEKS)
    chosen = dated.join(own, on=HOUSEHOLD, maintain_order="left")
    random = np.random.default_rng(number)
    again = random.integers(chosen["first"], chosen["first"] + chosen["len"])
    anyone = random.integers(len(rows), size=len(again))
    drawn = np.where(random.random(len(again)) < EXPLORED, anyone, again)
    later = pl.duration(weeks=WEEKS * (number // WEEKS + 1))
    bought = chosen.select(HOUSEHOLD, pl.col(TIMESTAMP) + later, rows[ITEM].gather(drawn))
    return bought.select(rows.columns).unique().sort(TIMESTAMP, HOUSEHOLD, ITEM)


def baskets(rows: pl.DataFrame) -> pl.DataFrame:
    """Return household, time and items of each basket."""
    return rows.group_by(HOUSEHOLD, TIMESTAMP, maintain_order=True).agg(pl.col(ITEM))


def requests(rows: pl.DataFrame) -> list[Json]:
    """Ask for the items of each basket just before it is bought, as many as metrics look at."""
    asked = baskets(rows).select(HOUSEHOLD, _text().alias("as_of"), count=TOP_K)
    return asked.to_dicts()


def labels(rows: pl.DataFrame) -> list[Json]:
    """Return what is in each basket."""
    return [{"items": items[:MAX_ITEMS]} for items in baskets(rows)[ITEM].to_list()]


def events(rows: pl.DataFrame) -> list[Json]:
    """Return the purchases."""
    return rows.with_columns(_text()).to_dicts()


def _text() -> pl.Expr:
    return pl.col(TIMESTAMP).dt.to_string("iso:strict")


def write_source(folder: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
    """Write the purchases of the data set too: features look back on them."""
    known = pl.read_parquet(folder / ROWS)
    pl.concat([known, rows]).write_parquet(file)
    return (f"data.source={json.dumps(str(file))}", "data.columns={}", "data.read={}", *FEWER_WEEKS)


def shift(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Let households buy what others bought before: their habits change."""
    swapped = np.where(
        random.random(len(rows)) < strength, random.permutation(len(rows)), np.arange(len(rows))
    )
    return rows.with_columns(rows[ITEM].gather(swapped)).unique(maintain_order=True)


def population(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Leave out the households that bought most."""
    size = rows.select(pl.len().over(HOUSEHOLD)).to_series()
    is_large = size > size.median()
    return rows.filter(~(is_large & pl.Series(random.random(len(rows)) < strength)))


def concept(rows: pl.DataFrame, strength: float, _: np.random.Generator) -> pl.DataFrame:
    """Replace half of the items by new ones: another assortment."""
    shares = [crc32(item.encode()) / 2**32 for item in rows[ITEM]]
    is_replaced = pl.lit(pl.Series(shares)) < strength / 2
    new = pl.concat_str(pl.lit("new-"), ITEM)
    return rows.with_columns(pl.when(is_replaced).then(new).otherwise(ITEM).alias(ITEM))


SIMULATION = Simulation(
    day=week_after,
    damages={"shift": shift, "population": population, "concept": concept},
    requests=requests,
    labels=labels,
    events=events,
    write_source=write_source,
    looks_back=True,
    collect_days=6,
)
