"""The rules that baskets must keep before anything is made of them.

Rules about a row are a Pandera schema; rules about the whole table, such as unique ids, are queries
to DuckDB. Every broken rule is reported at once, with example rows.
"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import pandera.polars as pa
import polars as pl

from ..data.validation import broken_by_rows, broken_by_table
from ..errors import refuse
from ..fields import EARLIEST, GRACE, LONGEST_ID, MONEY_LIMIT, PERIOD
from ..data.sources import Layout, open_duckdb
from .task import CENT
from .features import HOUSEHOLD, KINDS, SPENT, TRAITS

LAYOUT = Layout(
    types=MappingProxyType(
        {
            "basket_id": "VARCHAR",
            HOUSEHOLD: "VARCHAR",
            "timestamp": "TIMESTAMP_MS",
            **dict.fromkeys((*SPENT, *TRAITS), "DOUBLE"),
        }
    ),
    order=("timestamp", "basket_id"),
    optional=TRAITS,
)
TRAIT_LIMIT = 1e6
BASKET_RULES = (
    (
        "basket_id",
        "must be unique",
        "basket_id IN (SELECT basket_id FROM baskets GROUP BY ALL HAVING count(*) > 1)",
    ),
    (
        "sales",
        f"must be at least what was spent on {', '.join(KINDS)} together",
        f"{' + '.join(KINDS)} > sales + {CENT}",
    ),
    (
        "store_brand",
        "must be a part of sales",
        f"store_brand > sales + {CENT}",
    ),
)


def check(path: Path, memory_limit_mib: int = 1024) -> None:
    """Refuse the baskets of a canonical Parquet file that break a rule.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    there = [name for name in TRAITS if name in pl.read_parquet_schema(path)]
    broken = broken_by_rows(path, _schema(there))
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), memory_limit_mib) as duck,
    ):
        baskets = duck.read_parquet(str(path)).create_view("baskets")
        rules = (*BASKET_RULES, *map(_of_one_household, there))
        broken += broken_by_table(baskets, rules, LAYOUT.order)
    if broken:
        raise refuse("The baskets", broken)


def _of_one_household(trait: str) -> tuple[str, str, str]:
    """Demand that a household has one value of a trait in all its baskets."""
    differs = f"count(DISTINCT {trait}) > 1 OR count({trait}) NOT IN (0, count(*))"
    several = f"FROM baskets SELECT {HOUSEHOLD} GROUP BY {HOUSEHOLD} HAVING {differs}"
    return trait, "must be the same in all baskets of a household", f"{HOUSEHOLD} IN ({several})"


def _schema(traits: list[str]) -> pa.DataFrameSchema:
    """Declare what every row must keep."""
    latest = (datetime.now(UTC) + GRACE).replace(tzinfo=None)
    length = f"must have 1 to {LONGEST_ID} characters"
    identifier = pa.Check.str_length(1, LONGEST_ID, error=length)
    columns = {
        "basket_id": pa.Column(pl.String, identifier),
        HOUSEHOLD: pa.Column(pl.String, identifier),
        "timestamp": pa.Column(
            pl.Datetime("ms"),
            pa.Check.in_range(EARLIEST.replace(tzinfo=None), latest, error=PERIOD),
        ),
        **{name: _number(MONEY_LIMIT, missing=False) for name in SPENT},
        **{name: _number(TRAIT_LIMIT, missing=True) for name in traits},
    }
    return pa.DataFrameSchema(columns)


def _number(limit: float, missing: bool) -> pa.Column:
    """Declare a number from 0 to below the limit."""
    words = f"must be a number from 0 to less than {limit:,.0f}"
    within = pa.Check.in_range(0, limit, include_max=False, error=words)
    return pa.Column(pl.Float64, within, nullable=missing)
