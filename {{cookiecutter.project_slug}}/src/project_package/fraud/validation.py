"""The layout of the payments table and the rules that its rows must keep.

Rules about a row are those of the fields in `schemas.py`, validated batch by batch; rules about the
whole table, such as unique ids, are queries to DuckDB. Every broken rule is reported at once, with
example rows. Pandera takes two seconds to import: only the data stage should import this module.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pandera.polars as pa
import polars as pl
from duckdb import DuckDBPyRelation

from ..data.field_rules import row_check, rules_of, types_of
from ..data.find_violations import find_violations
from ..data.import_rows import Layout, open_duckdb
from ..data.violations import SHOWN, Violation, violations_error
from ..time_and_money_fields import GRACE, MONEY_LIMIT
from .features import LABEL_DELAY_DAYS
from .params import Data
from .schemas import PastPayment, Payment

log = logging.getLogger(__name__)
TableRule: TypeAlias = tuple[str, str, str]
"""Column, rule, and which rows break it, in SQL."""
LAYOUT = Layout(types_of(PastPayment), order=("timestamp", "transaction_id"))


def _has_four_decimals(amount: pl.Expr) -> pl.Expr:
    """Find amounts in whole ten-thousandths, which windows add exactly, up to rounding errors."""
    within = amount.clip(0, MONEY_LIMIT)  # amounts outside break another rule
    return (within.round(4) - within).abs() < 1e-6


CHECKS = {"amount": [row_check(_has_four_decimals, "must have four decimals at most")]}
"""The rules of fields that are functions in `schemas.py`, for a column."""
DUE = (
    f"timestamp + INTERVAL {LABEL_DELAY_DAYS} DAY <= "  # noqa: S608
    "(SELECT max(timestamp) FROM payments WHERE timestamp <= getvariable('latest'))"
)
"""Selects the payments whose labels should be known, in SQL."""
BLANK = f"is_fraud IS NULL AND {DUE}"
TABLE_RULES: Sequence[TableRule] = (
    (
        "transaction_id",
        "must be unique",
        "transaction_id IN (SELECT transaction_id FROM payments GROUP BY ALL HAVING count(*) > 1)",
    ),
    (
        "is_fraud",
        f"must be known after {LABEL_DELAY_DAYS} days, except for the share data.max_blank",
        f"{BLANK} AND getvariable('max_blank') < "  # noqa: S608
        f"(SELECT avg((is_fraud IS NULL)::INT) FROM payments WHERE {DUE})",
    ),
    ("is_fraud", "must be true in at least one row", "NOT EXISTS (FROM payments WHERE is_fraud)"),
    (
        "is_fraud",
        "must be false in at least one row; where blank means genuine, write 0",
        "NOT EXISTS (FROM payments WHERE NOT is_fraud)",
    ),
)


def check_payments(path: Path, data: Data, labelled: bool = True) -> None:
    """Validate the payments of a Parquet file in the layout above; log how many lack a label.

    Without `labelled`, is_fraud is not checked and may be absent. DuckDB's part of the memory limit
    is that of the rules about the table; a batch of rows needs about 100 MiB beside it.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them; or
            a column that is missing or has another type than the layout says.
    """
    latest = datetime.now(UTC).replace(tzinfo=None) + GRACE
    rules = [rule for rule in TABLE_RULES if labelled or rule[0] != "is_fraud"]
    columns = rules_of(PastPayment if labelled else Payment, CHECKS)
    broken = find_violations(path, pa.DataFrameSchema(columns))
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), data.duckdb_mib) as duck,
    ):
        payments = duck.read_parquet(str(path)).create_view("payments")
        duck.execute("SET VARIABLE latest = ?", [latest])
        duck.execute("SET VARIABLE max_blank = ?", [data.max_blank])
        blank = payments.filter(BLANK).count("*").fetchall()[0][0] if labelled else 0
        broken += broken_by_table(payments, rules, LAYOUT.order)
    if broken:
        raise violations_error("The payments", broken, data.columns)
    if blank:
        log.warning("Payments without is_fraud, which only features count: %s.", f"{blank:,}")


def broken_by_table(
    payments: DuckDBPyRelation, rules: Sequence[TableRule], order: Sequence[str]
) -> list[Violation]:
    """Count the rows that break each rule about the whole table; keep the first in `order`."""
    broken = []
    for column, rule, condition in rules:
        breaking = payments.filter(condition)
        count = breaking.count("*").fetchall()[0][0]
        if count:
            examples = breaking.order(", ".join(order)).limit(SHOWN).pl().to_dicts()
            broken.append(Violation(column, rule, count, examples))
    return broken
