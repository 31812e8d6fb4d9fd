"""The rules for baskets: a Pandera schema for each row, SQL conditions for the whole table."""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandera.polars as pa
import polars as pl

from ..data.sources import Layout, open_duckdb, types_of
from ..data.validation import TableRule, broken_by_rows, broken_by_table
from ..errors import refuse
from ..fields import EARLIEST, GRACE, LONGEST_ID, MONEY_LIMIT, PERIOD
from .features import HOUSEHOLD, KINDS, SPENT, TRAITS
from .schemas import CENT, BoughtBasket

LAYOUT = Layout(
    types={**types_of(BoughtBasket), **dict.fromkeys(TRAITS, "DOUBLE")},
    order=("timestamp", "basket_id"),
    optional=TRAITS,
)
TRAIT_LIMIT = 1e6
BASKET_RULES: tuple[TableRule, ...] = (
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
    ("store_brand", "must be a part of sales", f"store_brand > sales + {CENT}"),
)


def check(path: Path, memory_limit_mib: int = 1024) -> None:
    """Refuse the baskets of a canonical Parquet file that break a rule.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    traits = [name for name in TRAITS if name in pl.read_parquet_schema(path)]
    broken = broken_by_rows(path, _schema(traits))
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), memory_limit_mib) as duck,
    ):
        baskets = duck.read_parquet(str(path)).create_view("baskets")
        rules = (*BASKET_RULES, *map(_same_in_a_household, traits))
        broken += broken_by_table(baskets, rules, LAYOUT.order)
    if broken:
        raise refuse("The baskets", broken)


def _same_in_a_household(trait: str) -> TableRule:
    """Require one value of a trait in all baskets of a household."""
    differs = f"count(DISTINCT {trait}) > 1 OR count({trait}) NOT IN (0, count(*))"
    several = f"FROM baskets SELECT {HOUSEHOLD} GROUP BY {HOUSEHOLD} HAVING {differs}"
    return trait, "must be the same in all baskets of a household", f"{HOUSEHOLD} IN ({several})"


def _schema(traits: list[str]) -> pa.DataFrameSchema:
    """Declare the rules for a row."""
    latest = (datetime.now(UTC) + GRACE).replace(tzinfo=None)
    period = pa.Check.in_range(EARLIEST.replace(tzinfo=None), latest, error=PERIOD)
    length = f"must have 1 to {LONGEST_ID} characters"
    identifier = pa.Check.str_length(1, LONGEST_ID, error=length)
    return pa.DataFrameSchema(
        {
            "basket_id": pa.Column(pl.String, identifier),
            HOUSEHOLD: pa.Column(pl.String, identifier),
            "timestamp": pa.Column(pl.Datetime("ms"), period),
            **{name: _number(MONEY_LIMIT, missing=False) for name in SPENT},
            **{name: _number(TRAIT_LIMIT, missing=True) for name in traits},
        }
    )


def _number(limit: float, missing: bool) -> pa.Column:
    """Declare a number from 0 to below the limit."""
    error = f"must be a number from 0 to less than {limit:,.0f}"
    within = pa.Check.in_range(0, limit, include_max=False, error=error)
    return pa.Column(pl.Float64, within, nullable=missing)
