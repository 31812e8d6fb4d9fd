"""Tables of series: shops with a value a day, some without one."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from project_package.data.table_schema import Column, Schema
from project_package.tabular.problem import Problem, find_problem

START = datetime(2024, 1, 1)
COLUMNS = {
    "row": Column(role="time", type="date"),
    "shop": Column(role="group", type="text", missing=0.1),
    "price": Column(role="feature", type="number", missing=0.1, means=(2,)),
    "value": Column(role="target", type="number", missing=0.1, lags=(1, 3), means=(4,)),
}
SCHEMA = Schema(columns=COLUMNS)
FEATURES = ("price mean 2", "value lag 1", "value lag 3", "value mean 4")


def table_of(rows: list[tuple[str | None, float, float | None]]) -> pl.DataFrame:
    """Return a table of shops, days and values; the number of the day is the price."""
    days = [START + timedelta(days=day) for _, day, _ in rows]
    values = pl.Series([value for *_, value in rows], dtype=pl.Float64)
    shops = pl.Series([shop for shop, *_ in rows], dtype=pl.String)
    prices = [float(day) for _, day, _ in rows]
    frame = pl.DataFrame({"row": days, "shop": shops, "price": prices, "value": values})
    return frame.with_columns(pl.col("row").cast(pl.Datetime("ms")))


def series(days: int = 60) -> pl.DataFrame:
    """Return rows of three shops, some without a value, and a shop with one row; unsorted."""
    random = np.random.default_rng(0)
    rows: list[Any] = [("new", days - 1, 5.0)]
    for day in range(days):
        for shop in "abc":
            value = round(random.normal(day % 7, 0.5), 3)
            rows.append((shop, day, None if random.random() < 0.1 else value))
    return table_of([rows[n] for n in random.permutation(len(rows))])


def problem_of(**changes: Column) -> Problem:
    return find_problem(Schema(columns={**COLUMNS, **changes}), "value")
