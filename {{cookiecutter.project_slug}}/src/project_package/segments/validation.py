"""The rules for baskets: those of the fields in `schemas.py`, and those about the table."""

from pathlib import Path

import pandera.polars as pa
import polars as pl

from ..data.field_rules import rules_of, types_of
from ..data.find_violations import find_violations
from ..data.import_rows import Layout, SourceParams
from ..data.violations import SHOWN, Violation, violations_error
from .features import HOUSEHOLD, KINDS, TRAITS
from .schemas import CENT, BoughtBasket

LAYOUT = Layout(
    types={**types_of(BoughtBasket), **dict.fromkeys(TRAITS, "DOUBLE")},
    order=("timestamp", "basket_id"),
    optional=TRAITS,
)
TRAIT_LIMIT = 1e6
TRAIT_RULE = f"must be a number from 0 to less than {TRAIT_LIMIT:,.0f}"


def check_baskets(path: Path, data: SourceParams) -> None:
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
    trait = pa.Check.in_range(0, TRAIT_LIMIT, include_max=False, error=TRAIT_RULE)
    columns = {name: pa.Column(pl.Float64, trait, nullable=True) for name in traits}
    broken = find_violations(path, pa.DataFrameSchema(rules_of(BoughtBasket) | columns))
    for column, rule, condition in rules:
        breaking = table.filter(condition)
        if len(breaking):
            examples = breaking.head(SHOWN).to_dicts()
            broken.append(Violation(column, rule, len(breaking), examples))
    if broken:
        raise violations_error("The baskets", broken, data.columns)
