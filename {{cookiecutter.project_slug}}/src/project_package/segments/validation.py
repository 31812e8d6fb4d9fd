"""The rules for baskets: a Pandera schema for each row, Polars for the whole table."""

from datetime import UTC, datetime
from pathlib import Path

import pandera.polars as pa
import polars as pl

from ..data.broken_rules import broken_by_rows
from ..data.copy_rows import Layout, SourceParams, types_of
from ..errors import SHOWN, Violation, violations_error
from ..fields import EARLIEST, GRACE, LONGEST_ID, MONEY_LIMIT, PERIOD
from .features import HOUSEHOLD, KINDS, SPENT, TRAITS
from .schemas import CENT, BoughtBasket

LAYOUT = Layout(
    types={**types_of(BoughtBasket), **dict.fromkeys(TRAITS, "DOUBLE")},
    order=("timestamp", "basket_id"),
    optional=TRAITS,
)
TRAIT_LIMIT = 1e6


def check(path: Path, data: SourceParams) -> None:
    """Refuse the baskets of a Parquet file in `LAYOUT` that break a rule.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    table = pl.read_parquet(path)
    traits = [name for name in TRAITS if name in table.columns]
    most = pl.col("sales") + CENT
    whole = f"must be at least what was spent on {', '.join(KINDS)} together"
    rules = [
        ("basket_id", "must be unique", pl.col("basket_id").is_duplicated()),
        ("sales", whole, pl.sum_horizontal(KINDS) > most),
        ("store_brand", "must be a part of sales", pl.col("store_brand") > most),
    ]
    same = "must be the same in all baskets of a household"
    rules += [(name, same, pl.col(name).n_unique().over(HOUSEHOLD) > 1) for name in traits]
    broken = broken_by_rows(path, _schema(traits))
    for column, rule, condition in rules:
        if len(bad := table.filter(condition)):
            broken.append(Violation(column, rule, len(bad), bad.head(SHOWN).to_dicts()))
    if broken:
        raise violations_error("The baskets", broken, data.columns)


def _schema(traits: list[str]) -> pa.DataFrameSchema:
    """Declare the rules for a row."""
    latest = (datetime.now(UTC) + GRACE).replace(tzinfo=None)
    period = pa.Check.in_range(EARLIEST.replace(tzinfo=None), latest, error=PERIOD)
    length = f"must have 1 to {LONGEST_ID} characters"
    identifier = pa.Check.str_length(1, LONGEST_ID, error=length)
    columns = {
        "basket_id": pa.Column(pl.String, identifier),
        HOUSEHOLD: pa.Column(pl.String, identifier),
        "timestamp": pa.Column(pl.Datetime("ms"), period),
    }
    for name in (*SPENT, *traits):
        limit = TRAIT_LIMIT if name in traits else MONEY_LIMIT
        error = f"must be a number from 0 to less than {limit:,.0f}"
        within = pa.Check.in_range(0, limit, include_max=False, error=error)
        columns[name] = pa.Column(pl.Float64, within, nullable=name in traits)
    return pa.DataFrameSchema(columns)
