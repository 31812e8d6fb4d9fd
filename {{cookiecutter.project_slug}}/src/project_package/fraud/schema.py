"""The rules that payments must keep before anything is made of them.

Rules about a row are a Pandera schema, checked batch by batch; rules about the whole table, such as
unique ids, are queries to DuckDB. Every broken rule is reported at once, with example rows. Pandera
takes two seconds to import: only the data stage should import this module.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import pandera.polars as pa
import polars as pl
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection
from pandera.errors import SchemaError, SchemaErrors

from ..sources import Layout, open_duckdb
from ..violations import EXAMPLES, Violation, refuse
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
EARLIEST, GRACE = datetime(1990, 1, 1), timedelta(days=1)
AMOUNT_LIMIT = 1e9
BATCH_ROWS = 2**18


def check(path: Path, memory_limit_mib: int = 1024, labelled: bool = True) -> None:
    """Refuse the payments of a canonical Parquet file that break a rule.

    Without `labelled`, nothing is asked of is_fraud, which may be absent. The memory limit (MiB)
    is that of the search for repeated ids; a batch of rows needs about 100 MiB beside it.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
        SchemaErrors: a column is missing or of another type: the file is not canonical.
    """
    latest = datetime.now(UTC).replace(tzinfo=None) + GRACE
    with (
        TemporaryDirectory(prefix=".check-", dir=path.parent) as scratch,
        open_duckdb(Path(scratch), memory_limit_mib) as duck,
    ):
        duck.read_parquet(str(path)).create_view("payments")
        labels = _known_until(duck, latest) if labelled else None
        broken = _broken_by_rows(path, _schema(latest, labels))
        broken += _repeated(duck)
        broken += _missing_class(duck) if labelled else []
    if broken:
        raise refuse("The payments", broken)


def _schema(latest: datetime, labels_known_until: datetime | None) -> pa.DataFrameSchema:
    """Declare what every row must keep."""
    named = _rule("must not be empty", lambda value: value.str.len_bytes() > 0)
    columns = {
        name: pa.Column(pl.String, named)
        for name in ("transaction_id", "customer_id", "terminal_id")
    }
    columns["timestamp"] = pa.Column(
        pl.Datetime("ms"),
        _rule(
            f"must lie between {EARLIEST:%Y-%m-%d} and today (UTC)",
            lambda value: value.is_between(EARLIEST, latest),
        ),
    )
    columns["amount"] = pa.Column(
        pl.Float64,
        [
            _rule(
                f"must be a number from 0 to less than {AMOUNT_LIMIT:,.0f}",
                lambda value: value.is_between(0, AMOUNT_LIMIT, closed="left"),
            ),
            _rule("must have four decimals at most", _has_four_decimals),
        ],
    )
    if labels_known_until is not None:
        label = _rule(
            f"must be known when the payment is older than {LABEL_DELAY_DAYS} days",
            lambda value: value.is_not_null() | (pl.col("timestamp") > labels_known_until),
        )
        columns["is_fraud"] = pa.Column(pl.Boolean, label, nullable=True)
    return pa.DataFrameSchema(columns)


def _rule(words: str, keeps: Callable[[pl.Expr], pl.Expr]) -> pa.Check:
    """Make a check of one column out of an expression; null is another rule's concern."""

    def check_column(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(keeps(pl.col(data.key)))

    return pa.Check(check_column, error=words)


def _has_four_decimals(value: pl.Expr) -> pl.Expr:
    """Tell amounts that are whole ten-thousandths, as features count, up to float noise."""
    far = (value * 10_000).round() / 10_000 - value
    noise = 1e-9 + 1e-15 * value
    return (far.abs() < noise) | ~value.is_between(0, AMOUNT_LIMIT)  # the rest breaks another rule


def _broken_by_rows(path: Path, schema: pa.DataFrameSchema) -> list[Violation]:
    """Validate batch by batch and add up what is broken, rule by rule."""
    broken: dict[tuple[str, str], Violation] = {}
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(schema.columns)):
            for found in _violations(pl.DataFrame(batch), schema):
                place = (found.column, found.rule)
                before = broken.get(place, Violation(*place, rows=0))
                examples = [*before.examples, *found.examples][:EXAMPLES]
                broken[place] = Violation(*place, before.rows + found.rows, examples)
    return list(broken.values())


def _violations(rows: pl.DataFrame, schema: pa.DataFrameSchema) -> Iterator[Violation]:
    try:
        schema.validate(rows, lazy=True)
    except SchemaErrors as errors:
        for error in errors.schema_errors:
            if error.check_output is None:
                raise
            yield _violation(rows, error)


def _violation(rows: pl.DataFrame, error: SchemaError) -> Violation:
    """Put one of Pandera's findings into words, with the first rows it is about."""
    bad = rows.filter(~error.check_output["check_output"])
    words = "must not be missing" if isinstance(error.check, str) else str(error.check.error)
    return Violation(str(error.schema.name), words, len(bad), bad.head(EXAMPLES).to_dicts())


def _known_until(duck: DuckDBPyConnection, latest: datetime) -> datetime | None:
    """Give the time up to which every label must be known: the newest payment, less the delay."""
    query = "SELECT max(timestamp) FROM payments WHERE timestamp <= ?"
    newest: datetime | None = duck.execute(query, [latest]).fetchall()[0][0]
    return None if newest is None else newest - timedelta(days=LABEL_DELAY_DAYS)


def _repeated(duck: DuckDBPyConnection) -> list[Violation]:
    """Find ids that more than one payment has."""
    duck.execute(
        "CREATE TEMP TABLE repeated AS SELECT transaction_id, count(*) AS times FROM payments "
        "WHERE transaction_id IS NOT NULL GROUP BY transaction_id HAVING count(*) > 1"
    )
    rows = duck.execute("SELECT sum(times)::BIGINT FROM repeated").fetchall()[0][0]
    if not rows:
        return []
    found = duck.execute(
        "SELECT * FROM payments WHERE transaction_id IN (SELECT transaction_id FROM repeated) "
        "ORDER BY transaction_id, timestamp LIMIT ?",
        [EXAMPLES],
    )
    names = [column[0] for column in found.description or ()]
    examples = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    return [Violation("transaction_id", "must be unique", rows, examples)]


def _missing_class(duck: DuckDBPyConnection) -> list[Violation]:
    """Ask for at least one fraud and one genuine payment: a model learns the difference."""
    query = "SELECT count(*), count_if(is_fraud), count_if(NOT is_fraud) FROM payments"
    rows, frauds, genuine = duck.execute(query).fetchall()[0]
    wanted = (("true", frauds), ("false", genuine))
    return [
        Violation("is_fraud", f"must be {value} in at least one row", rows)
        for value, count in wanted
        if not count
    ]
