"""The rules for weekly rows: a Pandera schema for each row, SQL conditions for the whole table."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandera.polars as pa
import polars as pl

from ..data.sources import Layout, Type, open_duckdb
from ..data.validation import broken_by_rows, broken_by_table
from ..errors import refuse
from ..fields import EARLIEST, LONGEST_ID, MONEY_LIMIT
from .features import PLANS, SOLD
from .schemas import AHEAD, AHEAD_PERIOD, UNITS_LIMIT

TYPES: Mapping[str, Type] = {
    "product_id": "VARCHAR",
    "week": "TIMESTAMP_MS",
    "department": "VARCHAR",
    **dict.fromkeys((*SOLD, *PLANS), "DOUBLE"),
}
LAYOUT = Layout(TYPES, order=("week", "product_id"))
UNIQUE = (
    "week",
    "must be unique for each product",
    "(product_id, week) IN "
    "(SELECT (product_id, week) FROM weekly GROUP BY ALL HAVING count(*) > 1)",
)
CONSECUTIVE = (
    "week",
    "must come a week after the product's week before it: write 0 units where none were sold",
    "(product_id, week) NOT IN "
    "(SELECT (product_id, (week + INTERVAL 7 DAY)::TIMESTAMP_MS) FROM weekly) "
    "AND (product_id, week) NOT IN "
    "(SELECT (product_id, min(week)) FROM weekly GROUP BY product_id)",
)


def check(path: Path, memory_limit_mib: int = 1024, sold: bool = True) -> None:
    """Refuse the weekly rows of a canonical Parquet file that break a rule.

    Without `sold`, weeks may be missing, and so may the department and what was sold.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    broken = broken_by_rows(path, _schema(set(pl.read_parquet_schema(path)), sold))
    rules = (UNIQUE, CONSECUTIVE) if sold else (UNIQUE,)
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), memory_limit_mib) as duck,
    ):
        weekly = duck.read_parquet(str(path)).create_view("weekly")
        broken += broken_by_table(weekly, rules, LAYOUT.order)
    if broken:
        raise refuse("The weekly rows", broken)


def _schema(present: set[str], sold: bool) -> pa.DataFrameSchema:
    """Declare the rules for a row."""
    now = datetime.now(UTC).replace(tzinfo=None)
    length = f"must have 1 to {LONGEST_ID} characters"
    period = pa.Check.in_range(EARLIEST.replace(tzinfo=None), now + AHEAD, error=AHEAD_PERIOD)
    monday = pa.Check(_is_monday, error="must be a Monday at 0:00, the first day of the week")
    share = pa.Check.in_range(0, 1, error="must be a share from 0 to 1")
    columns = {
        "product_id": pa.Column(pl.String, pa.Check.str_length(1, LONGEST_ID, error=length)),
        "week": pa.Column(pl.Datetime("ms"), [period, monday]),
        "department": pa.Column(pl.String, nullable=not sold),
        "units": _number(UNITS_LIMIT, sold),
        "sales": _number(MONEY_LIMIT, sold),
        "discount": _number(MONEY_LIMIT, sold),
        **{name: pa.Column(pl.Float64, share) for name in PLANS},
    }
    return pa.DataFrameSchema({n: c for n, c in columns.items() if sold or n in present})


def _number(limit: float, sold: bool) -> pa.Column:
    """Declare a number from 0 to below the limit."""
    error = f"must be a number from 0 to less than {limit:,.0f}"
    within = pa.Check.in_range(0, limit, include_max=False, error=error)
    return pa.Column(pl.Float64, within, nullable=not sold)


def _is_monday(data: pa.PolarsData) -> pl.LazyFrame:
    week = pl.col(data.key)
    return data.lazyframe.select(week == week.dt.truncate("1w"))
