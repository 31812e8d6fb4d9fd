"""Find and open Parquet and CSV files.

CSV is read strictly and as text: DuckDB's detection of types skips lines that do not fit and reads
007 as the number 7.
"""

import csv
import re
from glob import escape, glob
from io import TextIOWrapper
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from ..errors import UserError

CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")


def find_files(location: str) -> list[Path]:
    """List the files of a path or a pattern, sorted by name; raise UserError if there is none."""
    path = Path(location).expanduser()
    if path.is_file():
        return [path]
    matches = glob(str(path), recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    files = sorted(match for match in map(Path, matches) if match.is_file())
    if not files:
        raise UserError(
            f'No file matches "{location}": give a Parquet or CSV file, or a pattern '
            "such as folder/*.parquet."
        )
    return files


def open_file(duck: DuckDBPyConnection, path: Path) -> DuckDBPyRelation:
    """Open a file as a table, without its rows yet; raise UserError when it cannot be read."""
    literal = escape(str(path))  # DuckDB reads a path as a pattern
    if path.name.lower().endswith(CSV_ENDINGS):
        names, delimiter = _csv_header(path)
        return duck.read_csv(
            literal,
            auto_detect=False,
            header=True,
            delimiter=delimiter,
            quotechar='"',
            escapechar='"',
            columns=dict.fromkeys(names, "VARCHAR"),
        )
    try:
        return duck.read_parquet(literal)
    except duckdb.InvalidInputException as error:
        raise UserError(
            f"{path} is not a Parquet file, or is truncated: write it again as Parquet, or as CSV "
            "with a name that ends in .csv."
        ) from error


def _csv_header(path: Path) -> tuple[list[str], str]:
    """Read the first line; a column without a name, such as an index, gets one."""
    compression = "gzip" if path.suffix.lower() == ".gz" else None
    try:
        stream = pa.input_stream(path, compression)
        with TextIOWrapper(stream, "utf-8-sig", newline="") as lines:
            first = lines.readline()
            delimiter = max(",;\t|", key=re.sub('"[^"]*"', "", first).count)
            header = next(csv.reader(chain([first], lines), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8: {error}. Save it as UTF-8.") from error
    names = [name.strip() or f"column {index}" for index, name in enumerate(header, 1)]
    if not names:
        raise UserError(f"{path} is empty: its first line must name the columns.")
    folded = [name.lower() for name in names]  # DuckDB ignores case
    if twice := [name for name in names if folded.count(name.lower()) > 1]:
        raise UserError(f'{path} has more than one column "{twice[-1]}": rename one of them.')
    return names, delimiter
