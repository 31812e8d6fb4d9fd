"""Find the rows that break rules: a Pandera schema for rows, SQL conditions for the table.

Pandera takes two seconds to import: only the data stage should import this module.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import pandera.polars as pa
import polars as pl
import pyarrow
import pyarrow.parquet as pq
from duckdb import DuckDBPyRelation
from pandera.errors import SchemaErrors

from ..errors import SHOWN, UserError, Violation

TableRule: TypeAlias = tuple[str, str, str]
"""Column, rule, and which rows break it, in SQL."""


def broken_by_rows(
    path: Path, schema: pa.DataFrameSchema, batch_rows: int = 2**18
) -> list[Violation]:
    """Return the broken rules of a Parquet file; raise UserError if its columns do not fit."""
    broken: dict[tuple[str, str], Violation] = {}
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_rows, columns=list(schema.columns)):
            for column, rule, bad in _broken(pl.DataFrame(batch), schema):
                before = broken.get((column, rule), Violation(column, rule, rows=0))
                examples = [*before.examples, *bad.head(SHOWN).to_dicts()][:SHOWN]
                count = before.rows + len(bad)
                broken[column, rule] = Violation(column, rule, count, examples)
    pyarrow.default_memory_pool().release_unused()  # DuckDB needs it next
    return list(broken.values())


def _broken(
    rows: pl.DataFrame, schema: pa.DataFrameSchema
) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Yield the column and the rule, for each rule that is broken, and the rows that break it."""
    try:
        schema.validate(rows, lazy=True)
    except SchemaErrors as errors:
        for error in errors.schema_errors:
            if error.check_output is None:  # not about rows: a missing column, or a wrong type
                reason = str(error).partition("\n")[0]
                raise UserError(
                    f"The rows do not fit: {reason}. Correct what loads them."
                ) from None
            rule = "must not be missing" if isinstance(error.check, str) else error.check.error
            yield error.schema.name, rule, rows.filter(~error.check_output["check_output"])


def broken_by_table(
    table: DuckDBPyRelation, rules: Sequence[TableRule], order: Sequence[str]
) -> list[Violation]:
    """Count the rows that break each rule about the whole table; keep the first in `order`."""
    broken = []
    for column, rule, condition in rules:
        bad = table.filter(condition)
        if rows := bad.count("*").fetchall()[0][0]:
            examples = bad.order(", ".join(order)).limit(SHOWN).pl().to_dicts()
            broken.append(Violation(column, rule, rows, examples))
    return broken
