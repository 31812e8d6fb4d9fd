"""The rules for weekly rows: those of the fields in `schemas.py`, and those about the table."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pandera.polars as pa
import polars as pl

from ..data.field_rules import row_check, rules_of, types_of
from ..data.find_violations import find_violations
from ..data.import_rows import Layout, SourceParams, Type
from ..data.violations import SHOWN, Violation, violations_error
from .features import WEEK_DAYS
from .schemas import PLANNED, SOLD, Plan, SoldWeek

TYPES: Mapping[str, Type] = {
    "product_id": "VARCHAR",
    "week": "TIMESTAMP_MS",
    "department": "VARCHAR",
    **{name: types_of(SoldWeek)[name] for name in (*SOLD, *PLANNED)},
}
LAYOUT = Layout(TYPES, order=("week", "product_id"))
UNIQUE = "must be unique for each product"
KNOWN = "must have units: write 0 where none were sold, and give weeks to come to `ml predict`"
CONSECUTIVE = (
    "must come a week after the product's week before it: write 0 units where none were sold"
)


def check_weeks(path: Path, data: SourceParams, sold: bool = True) -> None:
    """Refuse the weekly rows of a Parquet file, in the order of `LAYOUT`, that break a rule.

    Without `sold`, weeks may be missing, and so may the department and what was sold.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    table = pl.read_parquet(path)
    broken = find_violations(path, _schema(table.columns, sold))
    rules = {UNIQUE: pl.struct("product_id", "week").is_duplicated()}
    if sold:
        rules[KNOWN] = pl.col("units").is_null()
        rules[CONSECUTIVE] = pl.col("week").diff().over("product_id") > timedelta(days=WEEK_DAYS)
    for rule, condition in rules.items():
        breaking = table.filter(condition)
        if len(breaking):
            examples = breaking.head(SHOWN).to_dicts()
            broken.append(Violation("week", rule, len(breaking), examples))
    if broken:
        raise violations_error("The weekly rows", broken, data.columns)


def _schema(present: list[str], sold: bool) -> pa.DataFrameSchema:
    """Declare the rules for a row of a file that has the columns `present`."""
    monday = row_check(_is_monday, "must be a Monday at 0:00, the first day of the week")
    checks = {"week": [monday]}
    columns = rules_of(SoldWeek, checks)
    columns["department"] = pa.Column(pl.String)
    if not sold:
        columns |= rules_of(Plan, checks)  # the week may lie ahead
        for name in (*SOLD, "department"):
            columns[name].nullable = True
    return pa.DataFrameSchema({name: columns[name] for name in present})


def _is_monday(week: pl.Expr) -> pl.Expr:
    return week == week.dt.truncate("1w")
