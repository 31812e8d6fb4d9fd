"""Small tables of purchases, for the tests of this folder."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from project_package.columns import Columns, concatenate
from project_package.sessions.baskets import Bought
from project_package.sessions.dataset import group_baskets, load_data, to_rows
from project_package.sessions.features import MILLISECONDS_A_DAY
from project_package.sessions.params import SessionsParams

NEWEST = datetime(2024, 7, 1)
HOUSEHOLDS = 40
WEEKS = 30


def purchases(*bought: tuple[str, float, str]) -> pl.DataFrame:
    """Return purchases: each a household, the days before `NEWEST` and items, one a letter."""
    rows = [
        {"household_id": who, "timestamp": NEWEST - timedelta(days=ago), "item": item}
        for who, ago, items in bought
        for item in items
    ]
    return pl.DataFrame(rows).with_columns(pl.col("timestamp").cast(pl.Datetime("ms")))


def shop() -> pl.DataFrame:
    """Return a basket a week of each household, of the items of its kind and one by chance."""
    random = np.random.default_rng(0)
    kinds = ("AB", "CD", "EF")
    return purchases(
        *(
            (f"H{who}", 7 * week + who / HOUSEHOLDS, kinds[who % 3] + "GHIJ"[random.integers(4)])
            for who in range(HOUSEHOLDS)
            for week in range(WEEKS)
        )
    )


def household(baskets: Sequence[str], name: str = "H") -> Bought:
    """Return a household with a basket a day, of items that are letters."""
    times = MILLISECONDS_A_DAY * np.arange(1000, 1000 + len(baskets))
    return Bought(name, times, tuple(tuple(sorted({*items})) for items in baskets))


def following(*histories: Sequence[str]) -> Columns:
    """Return a row for the last basket of each history."""
    parts = [
        to_rows([(household(baskets, f"H{number}"), len(baskets) - 1)])
        for number, baskets in enumerate(histories)
    ]
    return concatenate(parts)


def params(source: Path | str = "own.parquet", **sections: Any) -> SessionsParams:
    """Return parameters with small splits; items are known that two households bought."""
    values = {
        "name": "tiny",
        "data": {"source": str(source), "min_households": 2},
        "split": {"test_weeks": 3, "folds": 2, "fold_weeks": 2},
    }
    return SessionsParams.model_validate(values | sections)


def data_set(folder: Path, table: pl.DataFrame | None = None) -> Path:
    """Write a data set of a table into the folder."""
    (shop() if table is None else table).write_parquet(folder / "own.parquet")
    load_data(params(folder / "own.parquet"), folder, lambda _: None)
    group_baskets(params(), folder)
    return folder
