"""Read clauses of tables and of folders with documents, to train on or to predict."""

from pathlib import Path

import polars as pl

from ..errors import UserError, suggest
from .documents import SUFFIXES, read_document

COLUMNS = ("document", "clause")
"""What identifies a clause of a folder."""


def read_labelled(source: Path, labels: str) -> pl.DataFrame:
    """Return document, owner, clause, heading, text and type of the labelled clauses.

    Raises:
        UserError: the source cannot be read, or lacks a column, a value or a clause.
    """
    if not source.is_dir():
        return complete(read_table(source), source)
    table = read_table(source / labels)
    for name in COLUMNS:
        require_column(table, name, source / labels)
    clauses = read_folder(source)
    left = table.drop("text", "heading", "page", strict=False)
    left = left.with_columns(pl.col("clause").cast(pl.Int64, strict=False))
    found = left.join(clauses, on=COLUMNS, how="left")
    if missing := found.filter(pl.col("text").is_null()).rows(named=True):
        first = missing[0]
        raise UserError(
            f"{source / labels} has a label of clause {first['clause']} of {first['document']}, "
            "which is not there: `ml predict` writes a table with the clauses of a folder."
        )
    return complete(found, source / labels)


def complete(table: pl.DataFrame, source: Path) -> pl.DataFrame:
    """Return the columns that training reads; raise UserError if text or type are missing."""
    for name in ("text", "type"):
        require_column(table, name, source)
    table = table.filter(pl.col("type").str.strip_chars() != "")  # a clause without a label
    row = pl.int_range(1, pl.len() + 1)
    defaults = {
        "document": pl.format("row {}", row),
        "owner": pl.col("document") if "document" in table.columns else pl.format("row {}", row),
        "clause": row.cast(pl.Int64),
        "heading": pl.lit(""),
    }
    chosen = [
        (pl.col(name) if name in table.columns else default).alias(name)
        for name, default in defaults.items()
    ]
    return table.select(*chosen, "text", pl.col("type").str.strip_chars())


def read_table(source: Path) -> pl.DataFrame:
    """Read a CSV or Parquet file, with values as text; a missing one is empty.

    Raises:
        UserError: there is no such file, it cannot be read, or it has no rows.
    """
    if not source.exists():
        raise UserError(f"There is no file or folder {source}.")
    try:
        is_parquet = source.suffix == ".parquet"
        table = pl.read_parquet(source) if is_parquet else pl.read_csv(source, infer_schema=False)
        table = table.with_columns(pl.all().cast(pl.String).fill_null(""))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{source} is not a readable CSV or Parquet file: {reason}.") from error
    if table.is_empty():
        raise UserError(f"{source} has no rows.")
    return table


def require_column(table: pl.DataFrame, name: str, source: Path) -> None:
    """Raise UserError if a table has no such column."""
    if name not in table.columns:
        raise UserError(f"{source} has no column {name}; {suggest(name, table.columns)}")


def read_folder(source: Path) -> pl.DataFrame:
    """Return document, clause (from 1), page, heading and text of all clauses of a folder or file.

    Raises:
        UserError: there are no documents, or one cannot be read.
    """
    paths = [source] if source.is_file() else sorted(source.rglob("*"))
    rows = []
    for path in paths:
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = path.name if source.is_file() else str(path.relative_to(source))
        try:
            clauses = read_document(path.read_bytes())
        except (ValueError, OSError) as error:
            raise UserError(f"{path} {error}.") from error
        for number, clause in enumerate(clauses, 1):
            rows.append((name, number, clause.page, clause.heading, clause.text))
    if not rows:
        raise UserError(f"{source} has no documents: {', '.join(SUFFIXES)} are read.")
    names = ["document", "clause", "page", "heading", "text"]
    return pl.DataFrame(rows, names, orient="row")
