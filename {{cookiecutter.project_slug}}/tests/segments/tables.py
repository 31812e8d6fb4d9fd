"""Small tables of baskets, for the tests of this folder."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from project_package.segments.dataset import compute_features, load_data
from project_package.segments.features import SPENT
from project_package.segments.params import SegmentsParams

AS_OF = datetime(2024, 7, 1)
HOUSEHOLDS = 160
EACH = 6


def baskets(*bought: tuple[str, float]) -> pl.DataFrame:
    """Return baskets of 10 each, from the household and the days before `AS_OF`."""
    rows = [
        {"basket_id": f"{name}{n}", "household_id": name, "timestamp": AS_OF - timedelta(days=ago)}
        for n, (name, ago) in enumerate(bought)
    ]
    money = {name: pl.lit(10.0 if name == "sales" else 1.0) for name in SPENT}
    return pl.DataFrame(rows).with_columns(pl.col("timestamp").cast(pl.Datetime("ms")), **money)


def regular(name: str, count: int = EACH, first: float = 5) -> list[tuple[str, float]]:
    """Return the weekly baskets of a household."""
    return [(name, first + 7 * week) for week in range(count)]


def shop(count: int = HOUSEHOLDS) -> pl.DataFrame:
    """Return random baskets of many households; the age of every other one is known."""
    random = np.random.default_rng(0)
    bought = [basket for n in range(count) for basket in regular(f"H{n}", first=0.5 + n / 9)]
    table = baskets(*bought)
    sales = np.round(5 + random.gamma(2, 20, table.height), 2)
    ages = [30.0 + n % 40 if n % 2 else None for n in range(count) for _ in range(EACH)]
    return table.with_columns(sales=sales, fresh=np.round(sales / 3, 2), age=pl.Series(ages))


def params(source: Path | str = "own.parquet", **sizes: float) -> SegmentsParams:
    """Return parameters with small splits."""
    split = {"test_share": 0.4, "test_parts": 1, "folds": 2, **sizes}
    values = {"name": "tiny", "data": {"source": str(source)}, "split": split}
    return SegmentsParams.model_validate(values)


def data_set(folder: Path, table: pl.DataFrame | None = None) -> Path:
    """Write a data set of a table into the folder."""
    (shop() if table is None else table).write_parquet(folder / "own.parquet")
    own = params(folder / "own.parquet")
    load_data(own, folder, lambda _: None)
    compute_features(own, folder, lambda _: None, map)
    return folder
