"""The layout of the payments table and the rules that its rows must keep.

Rules about a row are a Pandera schema, validated batch by batch; rules about the whole table, such
as unique ids, are queries to DuckDB. Every broken rule is reported at once, with example rows.
Pandera takes two seconds to import: only the data stage should import this module.
"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandera.polars as pa
import polars as pl

from ..data.broken_rules import broken_by_rows, broken_by_table
from ..data.copy_rows import Layout, SourceParams, open_duckdb, types_of
from ..errors import violations_error
from ..fields import EARLIEST, GRACE, LONGEST_ID, MONEY_LIMIT, PERIOD
from .features import LABEL_DELAY_DAYS
from .schemas import PastPayment, Payment

LAYOUT = Layout(types_of(PastPayment), order=("timestamp", "transaction_id"))
RULES = (
    (
        "transaction_id",
        "must be unique",
        "transaction_id IN (SELECT transaction_id FROM payments GROUP BY ALL HAVING count(*) > 1)",
    ),
    (
        "is_fraud",
        f"must be known when the payment is older than {LABEL_DELAY_DAYS} days",
        f"is_fraud IS NULL AND timestamp + INTERVAL {LABEL_DELAY_DAYS} DAY <= "  # noqa: S608
        "(SELECT max(timestamp) FROM payments WHERE timestamp <= getvariable('latest'))",
    ),
    ("is_fraud", "must be true in at least one row", "NOT EXISTS (FROM payments WHERE is_fraud)"),
    (
        "is_fraud",
        "must be false in at least one row",
        "NOT EXISTS (FROM payments WHERE NOT is_fraud)",
    ),
)
"""Column, rule, and the rows that break it, in SQL."""


def check(path: Path, data: SourceParams, labelled: bool = True) -> None:
    """Validate the payments of a Parquet file in the layout above.

    Without `labelled`, is_fraud is not checked and may be absent. DuckDB's part of the memory limit
    is that of the rules about the table; a batch of rows needs about 100 MiB beside it.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them; or
            a column that is missing or has another type than the layout says.
    """
    latest = datetime.now(UTC).replace(tzinfo=None) + GRACE
    rules = [rule for rule in RULES if labelled or rule[0] != "is_fraud"]
    broken = broken_by_rows(path, _schema(latest, labelled))
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), data.duckdb_mib) as duck,
    ):
        payments = duck.read_parquet(str(path)).create_view("payments")
        duck.execute("SET VARIABLE latest = ?", [latest])
        broken += broken_by_table(payments, rules, LAYOUT.order)
    if broken:
        raise violations_error("The payments", broken, data.columns)


def _schema(latest: datetime, labelled: bool) -> pa.DataFrameSchema:
    """Build the schema of a row: rules by type, and those of single columns."""
    length = f"must have 1 to {LONGEST_ID} characters"
    period = pa.Check.in_range(EARLIEST.replace(tzinfo=None), latest, error=PERIOD)
    number = f"must be a number from {-MONEY_LIMIT:,.0f} to {MONEY_LIMIT:,.0f}"
    limit = f"must be a number from 0 to less than {MONEY_LIMIT:,.0f}"
    amount = [
        pa.Check.in_range(0, MONEY_LIMIT, include_max=False, error=limit),
        pa.Check(_has_four_decimals, error="must have four decimals at most"),
    ]
    of_type = {
        "VARCHAR": pa.Column(pl.String, pa.Check.str_length(1, LONGEST_ID, error=length)),
        "DOUBLE": pa.Column(pl.Float64, pa.Check.in_range(-MONEY_LIMIT, MONEY_LIMIT, error=number)),
        "BOOLEAN": pa.Column(pl.Boolean),
        "TIMESTAMP_MS": pa.Column(pl.Datetime("ms"), period),
    }
    columns = {name: of_type[kind] for name, kind in types_of(Payment).items()}
    columns["amount"] = pa.Column(pl.Float64, amount)
    label = {"is_fraud": pa.Column(pl.Boolean, nullable=True)} if labelled else {}
    return pa.DataFrameSchema(columns | label)


def _has_four_decimals(data: pa.PolarsData) -> pl.LazyFrame:
    """Find amounts in whole ten-thousandths, which windows add exactly, up to rounding errors."""
    value = pl.col(data.key).clip(0, MONEY_LIMIT)  # values outside break another rule
    return data.lazyframe.select((value.round(4) - value).abs() < 1e-6)
