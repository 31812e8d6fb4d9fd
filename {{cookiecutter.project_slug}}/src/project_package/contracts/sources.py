"""Read clauses of tables and of folders with documents, to train on or to predict."""

from pathlib import Path

import polars as pl

from ..errors import UserError, suggest
from .documents import SUFFIXES, read_document

COLUMNS = ("document", "clause")
"""What identifies a clause of a folder."""
SHOWN = 3  # files that cannot be read, of which an error gives the reasons


def read_labelled(source: Path, labels: str) -> pl.DataFrame:
    """Return document, owner, clause, page, heading, text and type of the labelled clauses.

    Raises:
        UserError: the source cannot be read, or lacks a column, a value or a clause.
    """
    if not source.is_dir():
        return complete(read_table(source), source)
    path = source / labels
    table = read_table(path)
    for name in (*COLUMNS, "type"):
        require_column(table, name, path)
    if (twice := table.select(COLUMNS).is_duplicated()).any():
        document, clause = table.select(COLUMNS).row(int(twice.arg_max() or 0))
        raise UserError(f"{path} has two labels of clause {clause} of {document}.")
    left = table.drop("text", "heading", "page", strict=False)
    found = left.join(read_folder(source), on=COLUMNS, how="left", maintain_order="left")
    if (missing := found["text"].is_null()).any():
        document, clause = found.select(COLUMNS).row(int(missing.arg_max() or 0))
        raise UserError(
            f"{path} has a label of clause {clause} of {document}, which is not there: "
            "`ml predict` writes a table with the clauses of a folder."
        )
    return complete(found, path)


def complete(table: pl.DataFrame, source: Path) -> pl.DataFrame:
    """Return the columns that training reads; raise UserError if text or type are missing."""
    require_column(table, "type", source)
    table = one_line(table, source)
    row = pl.int_range(1, pl.len() + 1)
    document = filled(table, "document", pl.format("row {}", row))
    columns = {
        "document": document,
        "owner": filled(table, "owner", document),
        "clause": pl.col("clause") if "clause" in table.columns else row,
        "page": pl.col("page") if "page" in table.columns else pl.lit(0),
        "heading": filled(table, "heading", pl.lit("")),
    }
    chosen = [column.alias(name) for name, column in columns.items()]
    kind = pl.col("type").str.strip_chars()
    return table.select(*chosen, "text", kind).filter(pl.col("type") != "")  # with a label


def filled(table: pl.DataFrame, name: str, default: pl.Expr) -> pl.Expr:
    """Return a column, with a default where it is empty or missing."""
    if name not in table.columns:
        return default
    return pl.when(pl.col(name) == "").then(default).otherwise(pl.col(name))


def one_line(table: pl.DataFrame, source: Path) -> pl.DataFrame:
    """Put each text into one line; raise UserError if the column is missing or a text is empty."""
    require_column(table, "text", source)
    table = table.with_columns(pl.col("text").str.replace_all(r"\s+", " ").str.strip_chars())
    if (empty := table["text"] == "").any():
        raise UserError(f"{source}, row {int(empty.arg_max() or 0) + 1}: text is empty.")
    return table


def read_table(source: Path) -> pl.DataFrame:
    """Read a CSV or Parquet file: clause and page are numbers, others text; a missing one is empty.

    Raises:
        UserError: there is no such file, it cannot be read, it has no rows, or a number is none.
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
    for name in {"clause", "page"} & {*table.columns}:
        texts = table[name].str.strip_chars().str.strip_suffix(".0")
        numbers = texts.cast(pl.UInt32, strict=False).cast(pl.Int64)
        if (wrong := numbers.is_null() & (texts != "")).any():
            row = int(wrong.arg_max() or 0)
            message = f"{name} must be a whole number from 0, not {table[name][row]!r}"
            raise UserError(f"{source}, row {row + 1}: {message}.")
        table = table.with_columns(numbers.fill_null(0))
    return table


def require_column(table: pl.DataFrame, name: str, source: Path) -> None:
    """Raise UserError if a table has no such column."""
    if name not in table.columns:
        raise UserError(f"{source} has no column {name}; {suggest(name, table.columns)}")


def read_folder(source: Path) -> pl.DataFrame:
    """Return document, clause (from 1), page, heading and text of all clauses of a folder or file.

    Raises:
        UserError: there are no documents, or some cannot be read.
    """
    if not source.exists():
        raise UserError(f"There is no file or folder {source}.")
    paths = [source] if source.is_file() else sorted(source.rglob("*"))
    rows = []
    reasons = []
    for path in paths:
        inside = Path(path.name) if source.is_file() else path.relative_to(source)
        is_hidden = any(part.startswith((".", "~$")) for part in inside.parts)  # ~$: Word's locks
        if path.suffix.lower() not in SUFFIXES or is_hidden or not path.is_file():
            continue
        try:
            clauses = read_document(path.read_bytes())
        except (ValueError, OSError) as error:
            reasons.append(f"{path} {getattr(error, 'strerror', None) or error}")
            continue
        for number, clause in enumerate(clauses, 1):
            rows.append((inside.as_posix(), number, clause.page, clause.heading, clause.text))
    if reasons:
        more = f", and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        raise UserError(f"Not readable: {'; '.join(reasons[:SHOWN])}{more}.")
    if not rows:
        raise UserError(f"{source} has no documents: {', '.join(SUFFIXES)} are read.")
    names = ["document", "clause", "page", "heading", "text"]
    return pl.DataFrame(rows, names, orient="row")
