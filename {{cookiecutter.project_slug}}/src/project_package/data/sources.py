"""Copy a team's own data, files or a query, into one canonical Parquet file.

Canonical means: our column names, our types, times in UTC without a zone, sorted. DuckDB does the
work under a memory limit and puts what does not fit on disk, beside the target. A value that does
not read as its type stops the copy, and the message shows it: nothing is guessed, nothing is lost.
CSV is read strictly and as text, since DuckDB's own guessing skips lines that do not fit, and takes
007 for the number 7. The source itself is only read.
"""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from glob import escape, glob
from io import TextIOWrapper
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Literal, TypeAlias

import duckdb
import pyarrow as pa
from duckdb import ColumnExpression, DuckDBPyConnection, DuckDBPyRelation

from ..errors import SHOWN, UserError, Violation, near, refuse

Type: TypeAlias = Literal["VARCHAR", "TIMESTAMP_MS", "DOUBLE", "BOOLEAN"]
RULES: Mapping[Type, str] = MappingProxyType(
    {
        "VARCHAR": "must be text",
        "TIMESTAMP_MS": "must be a date and time such as 2024-01-31 23:59:59",
        "DOUBLE": "must be a number such as 12.5",
        "BOOLEAN": "must be true or false (or 1 or 0)",
    }
)


@dataclass(frozen=True)
class Source:
    """Where a team's data is, and what its columns are called there."""

    location: str
    """A Parquet or CSV path or pattern, or the word `sql`."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Our name to the source's own, where they differ."""
    query: str = ""
    url: str = field(default="", repr=False)
    """postgresql:// or sqlite:/// address for `sql`; it may hold a password."""

    def __str__(self) -> str:
        """Name the source in a message."""
        return "The result of data.query" if self.location == "sql" else self.location


@dataclass(frozen=True)
class Layout:
    """What the canonical file looks like."""

    types: Mapping[str, Type]
    """Our columns, in order; their names need no quotes in SQL."""
    order: tuple[str, ...]
    """Columns to sort by; one order only, when no two rows are equal in all of them."""
    optional: tuple[str, ...] = ()
    """Columns that a source may lack; the file then lacks them too."""


def copy(source: Source, layout: Layout, target: Path, memory_limit_mib: int = 1024) -> None:
    """Write the source's rows to the Parquet file `target`, replaced once the copy is complete.

    Times with a zone are converted to UTC, times without one are taken as UTC; both are kept to
    the millisecond. Floats that hold whole numbers (5.0) read as text without the `.0`.
    `memory_limit_mib` (MiB) bounds what DuckDB holds; the process needs about 300 MiB more.

    Raises:
        UserError: no such file, column or database, a file that cannot be read, a value that
            does not read as its type, no rows, or a memory limit that is too small.
    """
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        complete = Path(folder) / "sorted.parquet"
        with _errors_in_words(source), open_duckdb(Path(folder), memory_limit_mib) as duck:
            rows = _rows(duck, source, layout, Path(folder))
            readings = {
                name: _reading(name, str(kind), layout.types[name])
                for name, kind in zip(rows.columns, rows.types, strict=True)
            }
            _refuse_unreadable(source, layout, rows, readings)
            typed = rows.select(", ".join(f"{read} AS {name}" for name, read in readings.items()))
            typed.order(", ".join(layout.order)).write_parquet(str(complete))
        complete.replace(target)


@contextmanager
def open_duckdb(scratch: Path, memory_limit_mib: int) -> Iterator[DuckDBPyConnection]:
    """Open DuckDB in memory; what exceeds the limit (MiB) goes to files in `scratch`."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_limit_mib}MiB",
        "temp_directory": str(scratch / "spilled"),
        "threads": min(4, os.cpu_count() or 1),  # each takes its share of the memory
        "preserve_insertion_order": False,  # saves memory; what must be sorted says so
        "autoinstall_known_extensions": False,  # never the network
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # A command shows its own; a notebook has none, and there the setting cannot be touched.
        if connection.execute("SELECT current_setting('enable_progress_bar')").fetchall()[0][0]:
            connection.execute("SET enable_progress_bar = false")
        yield connection


@contextmanager
def _errors_in_words(source: Source) -> Iterator[None]:
    """Turn an error of DuckDB into a sentence, with the file when it names one."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise UserError(f"{source} does not fit in the memory limit: raise it.") from error
    except duckdb.Error as error:
        cause = re.split(r"\n\s*(?:Possible|LINE 1)", str(error))[0].partition(": ")[2]
        said = re.sub(r"\s*\n\s*", ", ", cause.strip(" \n."))
        file = re.search(r"^\s*file = (.+)$", str(error), re.MULTILINE)
        where = f" (in {file[1]})" if file else ""
        raise UserError(f"{source} cannot be read: {said}{where}.") from error


def _rows(
    duck: DuckDBPyConnection, source: Source, layout: Layout, scratch: Path
) -> DuckDBPyRelation:
    """Put our columns of every file one below the other; DuckDB finds types that hold them all."""
    tables = _tables(duck, source, scratch)
    names = _names(source, layout, next(iter(tables.values())).columns)
    queries = []
    for where, table in tables.items():
        header = table.columns
        for ours, own in names.items():
            if own not in header:
                raise UserError(
                    f'{where} has no column "{own}" for {ours}; {near(own, header)} '
                    f"Write its name under data.columns: {ours} = ..."
                )
        columns = [ColumnExpression(own).alias(ours) for ours, own in names.items()]
        queries.append(table.select(*columns).sql_query())
    return duck.sql(" UNION ALL ".join(queries))


def _tables(
    duck: DuckDBPyConnection, source: Source, scratch: Path
) -> Mapping[str, DuckDBPyRelation]:
    """Open the source's files, by their names; the result of a query becomes one first."""
    if source.location != "sql":
        return {str(path): read(duck, path) for path in find(source.location)}
    from . import database  # noqa: PLC0415  takes three seconds

    result = scratch / "result.parquet"
    database.download(duck, source.query, source.url, result)
    return {str(source): read(duck, result)}


def _names(source: Source, layout: Layout, header: Sequence[str]) -> dict[str, str]:
    """Map our columns to the source's own, without the optional ones that it lacks."""
    for ours in source.columns:
        if ours not in layout.types:
            raise UserError(
                f'data.columns: "{ours}" is no column of ours; {near(ours, layout.types)}'
            )
    names = {ours: source.columns.get(ours, ours) for ours in layout.types}
    return {o: own for o, own in names.items() if o not in layout.optional or own in header}


def _reading(column: str, kind: str, wanted: Type) -> str:
    """Give the SQL that reads a column of the type `kind` as the wanted one; null where not."""
    text = f"CAST({column} AS VARCHAR)"
    if kind in ("FLOAT", "DOUBLE"):  # what pandas makes of whole numbers when one is missing
        text = f"regexp_replace({text}, '\\.0$', '')"
    if wanted == "TIMESTAMP_MS":
        # Of text, the types without a zone drop the zone and do not say so.
        is_time = kind.startswith(("TIMESTAMP", "DATE"))
        moment = column if is_time else f"TRY_CAST({text} AS TIMESTAMPTZ)"
        time = f"TRY_CAST({moment} AS TIMESTAMP_MS)"
        return f"CASE WHEN year({time}) BETWEEN 1 AND 9999 THEN {time} END"  # and not infinity
    if kind == wanted:
        return column
    return text if wanted == "VARCHAR" else f"TRY_CAST({text} AS {wanted})"


def _refuse_unreadable(
    source: Source, layout: Layout, rows: DuckDBPyRelation, readings: Mapping[str, str]
) -> None:
    """Count the values that do not read as their type, all columns in one pass, and show some."""
    unreadable = [f"{name} IS NOT NULL AND {read} IS NULL" for name, read in readings.items()]
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in unreadable)
    total, *found = rows.aggregate(f"count(*), {counts}").fetchall()[0]
    if not total:
        raise UserError(f"{source} has no rows: name a source that has some.")
    broken = []
    for name, condition, count in zip(readings, unreadable, found, strict=True):
        if count:
            own = source.columns.get(name, name)
            called = name if own == name else f'{name} (your "{own}")'
            bad = rows.filter(condition).limit(SHOWN).fetchall()
            examples = [dict(zip(rows.columns, row, strict=True)) for row in bad]
            broken.append(Violation(called, RULES[layout.types[name]], count, examples))
    if broken:
        raise refuse(str(source), broken)


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
            f'No file matches "{location}": give a Parquet or CSV file, or a pattern '
            "such as folder/*.parquet."
        )
    return files


def read(duck: DuckDBPyConnection, path: Path) -> DuckDBPyRelation:
    """Open a file as a table, without reading its rows yet.

    Raises:
        UserError: the file cannot be read, or a CSV file names a column twice.
    """
    literal = escape(str(path))  # DuckDB takes a path for a pattern
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
            f"{path} is no Parquet file, or only a part of one: write it again, or end its name "
            "in .csv if it is CSV."
        ) from error


def _csv_header(path: Path) -> tuple[list[str], str]:
    """Read the first line; a column without a name, such as an index, gets one."""
    compression = "gzip" if path.suffix.lower() == ".gz" else None
    try:
        stream = pa.input_stream(path, compression)
        with TextIOWrapper(stream, "utf-8-sig", newline="") as lines:
            first = lines.readline()
            delimiter = max(DELIMITERS, key=first.count)
            header = next(csv.reader(chain([first], lines), delimiter=delimiter))
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} is no CSV file in UTF-8: {error}. Write it again.") from error
    names = [name or f"column {place}" for place, name in enumerate(header, 1)]
    if not names:
        raise UserError(f"{path} is empty: its first line must name the columns.")
    folded = [name.lower() for name in names]  # as DuckDB compares them
    if twice := [name for name in names if folded.count(name.lower()) > 1]:
        raise UserError(f'{path} has more than one column "{twice[-1]}": give each its own name.')
    return names, delimiter
