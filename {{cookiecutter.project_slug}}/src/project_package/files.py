"""Parquet and CSV files as DuckDB reads them: which there are, their columns, and how to read one.

CSV is read strictly and as text: DuckDB's own guessing skips lines that do not fit, and takes 007
for the number 7. The first line names the columns; `,` `;` `|` or a tab stands between them.
"""

import csv
import gzip
from glob import escape, glob
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import UserError

CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
DELIMITERS = ",;\t|"


def find(location: str) -> list[Path]:
    """List the files that a path or a pattern names, by name.

    Raises:
        UserError: there is none.
    """
    pattern = str(Path(location).expanduser())
    matches = glob(pattern, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    found = [pattern] if Path(pattern).is_file() else sorted(matches)
    if not (files := [path for path in map(Path, found) if path.is_file()]):
        raise UserError(
            f'data.source: no file matches "{location}": give a Parquet or CSV file, or a pattern '
            "such as folder/*.parquet."
        )
    return files


def header(path: Path) -> list[str]:
    """Read the names of a file's columns.

    Raises:
        UserError: the file cannot be read, or names a column twice.
    """
    names = _csv_header(path)[0] if _is_csv(path) else _parquet_header(path)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UserError(f'{path} has more than one column "{twice[0]}": give each its own name.')
    return names


def reader(path: Path) -> tuple[str, list[Any]]:
    """Give the table function that reads a file, and the values of its parameters."""
    literal = escape(str(path))  # DuckDB takes a path for a pattern
    if not _is_csv(path):
        return "read_parquet(?)", [literal]
    names, delimiter = _csv_header(path)
    options = "auto_detect = false, header = true, quote = '\"', escape = '\"', delim = ?"
    text = dict.fromkeys(names, "VARCHAR")
    return f"read_csv(?, {options}, columns = ?)", [literal, delimiter, text]


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith(CSV_ENDINGS)


def _parquet_header(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise UserError(
            f"{path} is no Parquet file, or only a part of one: write it again, or end its name "
            "in .csv if it is CSV."
        ) from error


def _csv_header(path: Path) -> tuple[list[str], str]:
    """Read the first line; a column without a name, such as an index, gets one."""
    try:
        with _open(path) as lines:
            first = next(lines, "")
            delimiter = max(DELIMITERS, key=first.count)
            names = next(csv.reader(chain([first], lines), delimiter=delimiter), [])
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise UserError(f"{path} is no CSV file in UTF-8: {error}. Write it again.") from error
    if not names:
        raise UserError(f"{path} is empty: its first line must name the columns.")
    return [name or f"column {place}" for place, name in enumerate(names, 1)], delimiter


def _open(path: Path) -> TextIO:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
