"""The rules for weekly rows: a Pandera schema for each row, Polars for the whole table."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl

from ..data.broken_rules import broken_by_rows
from ..data.copy_rows import Layout, SourceParams, Type, types_of
from ..errors import SHOWN, Violation, violations_error
from ..fields import EARLIEST, LONGEST_ID, MONEY_LIMIT
from .features import PLANS, WEEK_DAYS
from .schemas import AHEAD, AHEAD_PERIOD, PLANNED, SOLD, UNITS_LIMIT, SoldWeek

TYPES: Mapping[str, Type] = {
    "product_id": "VARCHAR",
    "week": "TIMESTAMP_MS",
    "department": "VARCHAR",
    **{name: types_of(SoldWeek)[name] for name in (*SOLD, *PLANNED)},
}
LAYOUT = Layout(TYPES, order=("week", "product_id"))
UNIQUE = "must be unique for each product"
CONSECUTIVE = (
    "must come a week after the product's week before it: write 0 units where none were sold"
)


def check(path: Path, data: SourceParams, sold: bool = True) -> None:
    """Refuse the weekly rows of a Parquet file, in the order of `LAYOUT`, that break a rule.

    Without `sold`, weeks may be missing, and so may the department and what was sold.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    table = pl.read_parquet(path)
    broken = broken_by_rows(path, _schema(table.columns, sold))
    rules = {UNIQUE: pl.struct("product_id", "week").is_duplicated()}
    if sold:
        rules[CONSECUTIVE] = pl.col("week").diff().over("product_id") > timedelta(days=WEEK_DAYS)
    for rule, condition in rules.items():
        if len(bad := table.filter(condition)):
            broken.append(Violation("week", rule, len(bad), bad.head(SHOWN).to_dicts()))
    if broken:
        raise violations_error("The weekly rows", broken, data.columns)


def _schema(present: list[str], sold: bool) -> pa.DataFrameSchema:
    """Declare the rules for a row."""
    now = datetime.now(UTC).replace(tzinfo=None)
    length = f"must have 1 to {LONGEST_ID} characters"
    period = pa.Check.in_range(EARLIEST.replace(tzinfo=None), now + AHEAD, error=AHEAD_PERIOD)
    monday = pa.Check(_is_monday, error="must be a Monday at 0:00, the first day of the week")
    share = pa.Check.in_range(0, 1, error="must be a share from 0 to 1")
    dtypes = {"VARCHAR": pl.String, "DOUBLE": pl.Float64}
    columns = {
        "product_id": pa.Column(pl.String, pa.Check.str_length(1, LONGEST_ID, error=length)),
        "week": pa.Column(pl.Datetime("ms"), [period, monday]),
        "department": pa.Column(pl.String, nullable=not sold),
        **{n: pa.Column(dtypes[TYPES[n]], share if n in PLANS else None) for n in PLANNED},
    }
    for name in SOLD:
        limit = UNITS_LIMIT if name == "units" else MONEY_LIMIT
        error = f"must be a number from 0 to less than {limit:,.0f}"
        within = pa.Check.in_range(0, limit, include_max=False, error=error)
        columns[name] = pa.Column(pl.Float64, within, nullable=not sold)
    return pa.DataFrameSchema({n: c for n, c in columns.items() if sold or n in present})


def _is_monday(data: pa.PolarsData) -> pl.LazyFrame:
    week = pl.col(data.key)
    return data.lazyframe.select(week == week.dt.truncate("1w"))
