"""Find the rows of a file that break the rules of a Pandera schema.

Pandera takes two seconds to import: only the data stage should import this module.
"""

from collections.abc import Iterator
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pyarrow
import pyarrow.parquet as pq
from pandera.errors import SchemaErrors

from ..errors import UserError
from .violations import SHOWN, Violation


def find_violations(
    path: Path, schema: pa.DataFrameSchema, batch_rows: int = 2**18
) -> list[Violation]:
    """Return the broken rules of a Parquet file; raise UserError if its columns do not fit."""
    broken: dict[tuple[str, str], Violation] = {}
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_rows, columns=list(schema.columns)):
            for column, rule, breaking in _broken(pl.DataFrame(batch), schema):
                before = broken.get((column, rule), Violation(column, rule, rows=0))
                examples = [*before.examples, *breaking.head(SHOWN).to_dicts()][:SHOWN]
                count = before.rows + len(breaking)
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
