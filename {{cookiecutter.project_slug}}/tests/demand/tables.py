"""A small random table of weekly rows, for the tests of this folder."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from project_package.columns import columns_of
from project_package.demand.dataset import compute_features, load_data
from project_package.demand.features import PLANS
from project_package.demand.params import DemandParams
from project_package.demand.schemas import SoldWeek

START = datetime(2024, 1, 1)
WEEKS = 40
PRODUCTS = 6


def weekly_table(weeks: int = WEEKS) -> pl.DataFrame:
    """Return weeks of a few products in order of time; a longer table begins with the shorter."""
    random = np.random.default_rng(0)
    columns = random.random((weeks * PRODUCTS, 3 + len(PLANS)))
    units = np.floor(20 * columns[:, 0])
    plans = np.where(columns[:, 3:] < 0.2, columns[:, :1], 0).round(4)
    return pl.DataFrame(
        {
            "product_id": [f"P{number}" for number in range(PRODUCTS)] * weeks,
            "week": [START + timedelta(weeks=n // PRODUCTS) for n in range(len(units))],
            "department": "deli",
            "units": units,
            "sales": np.round(2.5 * units, 2),
            "discount": np.round(0.1 * units, 2),
            **dict(zip(PLANS, plans.T, strict=True)),
            **others(len(units)),
        }
    )


def others(count: int) -> dict[str, Any]:
    """Return one value for each raw column that the tests do not name."""
    values = {str: np.full(count, "x", object), float: np.zeros(count)}
    named = {"product_id", "timestamp", "units", "sales", "discount", *PLANS}
    return {name: values[kind] for name, kind in columns_of(SoldWeek).items() if name not in named}


def params(source: Path | str = "own.parquet", **sizes: int) -> DemandParams:
    """Return parameters with small splits."""
    split = {"test_weeks": 5, "folds": 2, "fold_weeks": 3, **sizes}
    values = {"name": "tiny", "data": {"source": str(source)}, "split": split}
    return DemandParams.model_validate(values)


def data_set(folder: Path, table: pl.DataFrame | None = None) -> Path:
    """Write a data set of a table into the folder."""
    source = folder / "own.parquet"
    (weekly_table() if table is None else table).write_parquet(source)
    load_data(params(source), folder, lambda _: None)
    compute_features(params(source), folder, lambda _: None, map)
    return folder
