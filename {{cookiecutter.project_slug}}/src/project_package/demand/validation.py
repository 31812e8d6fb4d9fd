"""The rules that weekly rows must keep before anything is made of them.

Rules about a row are a Pandera schema; rules about the whole table, such as no week that is
missing, are queries to DuckDB. Every broken rule is reported at once, with example rows.
"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import pandera.polars as pa
import polars as pl

from ..data.validation import broken_by_rows, broken_by_table
from ..errors import refuse
from ..fields import EARLIEST, LONGEST_ID, MONEY_LIMIT
from ..data.sources import Layout, open_duckdb
from .task import AHEAD, AHEAD_PERIOD, UNITS_LIMIT
from .features import PLANS

LAYOUT = Layout(
    types=MappingProxyType(
        {
            "product_id": "VARCHAR",
            "week": "TIMESTAMP_MS",
            "department": "VARCHAR",
            "units": "DOUBLE",
            "sales": "DOUBLE",
            "discount": "DOUBLE",
            **dict.fromkeys(PLANS, "DOUBLE"),
        }
    ),
    order=("week", "product_id"),
)
TABLE_RULES = (
    (
        "week",
        "must be there once for each product",
        "(product_id, week) IN "
        "(SELECT (product_id, week) FROM weekly GROUP BY ALL HAVING count(*) > 1)",
    ),
)
SOLD_RULES = (
    (
        "week",
        "must come a week after the product's week before it: give 0 units where none were sold",
        "(product_id, week) NOT IN "
        "(SELECT (product_id, (week + INTERVAL 7 DAY)::TIMESTAMP_MS) FROM weekly) "
        "AND (product_id, week) NOT IN "
        "(SELECT (product_id, min(week)) FROM weekly GROUP BY product_id)",
    ),
)


def check(path: Path, memory_limit_mib: int = 1024, sold: bool = True) -> None:
    """Refuse the weekly rows of a canonical Parquet file that break a rule.

    Without `sold`, what was sold and the department may be absent or missing, and weeks too.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    columns = set(pl.read_parquet_schema(path))
    broken = broken_by_rows(path, _schema(columns, sold))
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), memory_limit_mib) as duck,
    ):
        weekly = duck.read_parquet(str(path)).create_view("weekly")
        broken += broken_by_table(weekly, TABLE_RULES + (SOLD_RULES if sold else ()), LAYOUT.order)
    if broken:
        raise refuse("The weekly rows", broken)


def _schema(there: set[str], sold: bool) -> pa.DataFrameSchema:
    """Declare what every row must keep."""
    length = f"must have 1 to {LONGEST_ID} characters"
    earliest, now = EARLIEST.replace(tzinfo=None), datetime.now(UTC).replace(tzinfo=None)
    limits = {"units": UNITS_LIMIT, "sales": MONEY_LIMIT, "discount": MONEY_LIMIT}
    numbers = {
        name: pa.Column(
            pl.Float64,
            pa.Check.in_range(
                0,
                limit,
                include_max=False,
                error=f"must be a number from 0 to less than {limit:,.0f}",
            ),
            nullable=not sold,
        )
        for name, limit in limits.items()
    }
    share = pa.Check.in_range(0, 1, error="must be a share from 0 to 1")
    shares = {name: pa.Column(pl.Float64, share) for name in PLANS}
    columns = {
        "product_id": pa.Column(pl.String, pa.Check.str_length(1, LONGEST_ID, error=length)),
        "week": pa.Column(
            pl.Datetime("ms"),
            [
                pa.Check.in_range(earliest, now + AHEAD, error=AHEAD_PERIOD),
                pa.Check(_is_monday, error="must be a Monday at 0:00, the first day of the week"),
            ],
        ),
        "department": pa.Column(pl.String, nullable=not sold),
        **numbers,
        **shares,
    }
    asked = {name: column for name, column in columns.items() if sold or name in there}
    return pa.DataFrameSchema(asked)


def _is_monday(data: pa.PolarsData) -> pl.LazyFrame:
    """Tell times that are the beginning of a Monday."""
    week = pl.col(data.key)
    return data.lazyframe.select(week == week.dt.truncate("1w"))
