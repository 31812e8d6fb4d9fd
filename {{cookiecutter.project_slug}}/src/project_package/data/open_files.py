"""Find and open Parquet and CSV files.

CSV is read strictly and as text: DuckDB's detection of types skips lines that do not fit and reads
007 as the number 7.
"""

import csv
import re
from collections.abc import Mapping
from contextlib import suppress
from glob import escape, glob
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from shutil import copyfileobj

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from ..errors import UserError

SAVE = "save it as UTF-8, or name its encoding, such as cp1252, as data.encoding"
CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
CAUSES: Mapping[str, str] = {
    "state machine": "its lines end in different ways, or a quote is not closed; write it again",
    "not utf-8 encoded": f"it is not in UTF-8; {SAVE}",
    "Out of Memory": "it does not fit in data.memory_limit_mib; increase it",
}
"""What errors of DuckDB mean."""


def find_files(location: str) -> list[Path]:
    """List the files of a path or a pattern, sorted by name; raise UserError if there is none."""
    path = Path(location).expanduser()
    pattern = escape(str(path)) if path.is_file() else str(path)
    matches = glob(pattern, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
    files = sorted(match for match in map(Path, matches) if match.is_file())
    if not files:
        raise UserError(
            f'No file matches "{location}": give a Parquet or CSV file, or a pattern '
            "such as folder/*.parquet."
        )
    return files


def decoded(path: Path, codec: str) -> pa.NativeFile:
    """Open a text, which may be compressed, as a stream in UTF-8."""
    compression = "gzip" if path.suffix.lower() == ".gz" else None
    return pa.transcoding_input_stream(pa.input_stream(path, compression), codec, "utf-8")


def in_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """Return a CSV file in UTF-8: itself, or a copy in `folder` where `encoding` is set."""
    if not encoding or not path.name.lower().endswith(CSV_ENDINGS):
        return path
    copy = folder / f"{len([*folder.iterdir()])}-{path.name.lower().removesuffix('.gz')}"
    for codec in ("utf-8-sig", encoding):
        with suppress(UnicodeError, LookupError), copy.open("wb") as file:
            copyfileobj(decoded(path, codec), file)
            return copy
    raise UserError(f"{path} is neither in UTF-8 nor in {encoding}: {SAVE}.")


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


def cause_of(message: str) -> str:
    """Shorten an error of DuckDB to one line, with the file if it names one."""
    cause = re.split(r"\n\s*(?:Possible|LINE 1)", message)[0].partition(": ")[2]
    cause = next((meant for part, meant in CAUSES.items() if part in message), cause)
    cause = re.sub(r"(?s)(Line: .{200}).+(\n\w)", r"\1 ...\2", cause)  # all after an open quote
    file = re.search(r"^\s*file = (.+)$", message, re.MULTILINE)
    return re.sub(r"\s*\n\s*", ", ", cause.strip(" \n.")) + (f" (in {file[1]})" if file else "")


def _csv_header(path: Path) -> tuple[list[str], str]:
    """Read the first line; a column without a name, such as an index, gets one."""
    try:
        with TextIOWrapper(decoded(path, "utf-8"), "utf-8-sig", newline="") as lines:
            first = lines.readline()
            delimiter = max(",;\t|", key=re.sub('"[^"]*"', "", first).count)
            header = next(csv.reader(chain([first], lines), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise UserError(f"{path} is not a CSV file in UTF-8: {error}; {SAVE}.") from error
    names = [name.strip() or f"column {index}" for index, name in enumerate(header, 1)]
    if not names:
        raise UserError(f"{path} is empty: its first line must name the columns.")
    folded = [name.lower() for name in names]  # DuckDB ignores case
    if twice := [name for name in names if folded.count(name.lower()) > 1]:
        raise UserError(f'{path} has more than one column "{twice[-1]}": rename one of them.')
    return names, delimiter
