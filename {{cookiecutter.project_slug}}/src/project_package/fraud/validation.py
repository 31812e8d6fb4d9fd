"""The rules that payments must keep before anything is made of them.

Rules about a row are a Pandera schema, checked batch by batch; rules about the whole table, such as
unique ids, are queries to DuckDB. Every broken rule is reported at once, with example rows. Pandera
takes two seconds to import: only the data stage should import this module.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import pandera.polars as pa
import polars as pl

from ..data.validation import broken_by_rows, broken_by_table
from ..errors import refuse
from ..fields import EARLIEST, GRACE, LONGEST_ID, MONEY_LIMIT, PERIOD
from ..data.sources import Layout, open_duckdb
from .features import LABEL_DELAY_DAYS

LAYOUT = Layout(
    types=MappingProxyType(
        {
            "transaction_id": "VARCHAR",
            "timestamp": "TIMESTAMP_MS",
            "customer_id": "VARCHAR",
            "terminal_id": "VARCHAR",
            "amount": "DOUBLE",
            "is_fraud": "BOOLEAN",
        }
    ),
    order=("timestamp", "transaction_id"),
)
LABEL_RULE = f"must be known when the payment is older than {LABEL_DELAY_DAYS} days"
TABLE_RULES = (
    (
        "transaction_id",
        "must be unique",
        "transaction_id IN (SELECT transaction_id FROM payments GROUP BY ALL HAVING count(*) > 1)",
    ),
)
LABEL_RULES = (
    (
        "is_fraud",
        LABEL_RULE,
        "is_fraud IS NULL AND timestamp <= getvariable('delay_before') + "
        "(SELECT max(timestamp) FROM payments WHERE timestamp <= getvariable('latest'))",
    ),
    (
        "is_fraud",
        "must be true in at least one row",
        "NOT EXISTS (SELECT 1 FROM payments WHERE is_fraud)",
    ),
    (
        "is_fraud",
        "must be false in at least one row",
        "NOT EXISTS (SELECT 1 FROM payments WHERE NOT is_fraud)",
    ),
)
"""Column, rule, and which rows break it, in SQL."""


def check(path: Path, memory_limit_mib: int = 1024, labelled: bool = True) -> None:
    """Refuse the payments of a canonical Parquet file that break a rule.

    Without `labelled`, nothing is asked of is_fraud, which may be absent. The memory limit (MiB)
    is that of the rules about the table; a batch of rows needs about 100 MiB beside it.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
        SchemaErrors: a column is missing or of another type: the file is not canonical.
    """
    latest = datetime.now(UTC).replace(tzinfo=None) + GRACE
    broken = broken_by_rows(path, _schema(latest, labelled))
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), memory_limit_mib) as duck,
    ):
        payments = duck.read_parquet(str(path)).create_view("payments")
        duck.execute("SET VARIABLE latest = ?", [latest])
        duck.execute("SET VARIABLE delay_before = ?", [-timedelta(days=LABEL_DELAY_DAYS)])
        rules = TABLE_RULES + (LABEL_RULES if labelled else ())
        broken += broken_by_table(payments, rules, LAYOUT.order)
    if broken:
        raise refuse("The payments", broken)


def _schema(latest: datetime, labelled: bool) -> pa.DataFrameSchema:
    """Declare what every row must keep by itself."""
    length = f"must have 1 to {LONGEST_ID} characters"
    name = pa.Column(pl.String, pa.Check.str_length(1, LONGEST_ID, error=length))
    earliest = EARLIEST.replace(tzinfo=None)
    amounts = f"must be a number from 0 to less than {MONEY_LIMIT:,.0f}"
    return pa.DataFrameSchema(
        {
            "transaction_id": name,
            "customer_id": name,
            "terminal_id": name,
            "timestamp": pa.Column(
                pl.Datetime("ms"), pa.Check.in_range(earliest, latest, error=PERIOD)
            ),
            "amount": pa.Column(
                pl.Float64,
                [
                    pa.Check.in_range(0, MONEY_LIMIT, include_max=False, error=amounts),
                    pa.Check(_has_four_decimals, error="must have four decimals at most"),
                ],
            ),
            **({"is_fraud": pa.Column(pl.Boolean, nullable=True)} if labelled else {}),
        }
    )


def _has_four_decimals(data: pa.PolarsData) -> pl.LazyFrame:
    """Tell amounts that are whole ten-thousandths, as features count, up to float noise."""
    value = pl.col(data.key).clip(0, MONEY_LIMIT)  # what lies outside breaks another rule
    return data.lazyframe.select((value.round(4) - value).abs() < 1e-6)
