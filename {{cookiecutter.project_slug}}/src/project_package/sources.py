"""Copy a team's own data, files or a query, into one canonical Parquet file.

Canonical means: our column names, our types, times in UTC without a zone, sorted. DuckDB does the
work under a memory limit and puts what does not fit on disk, beside the target. A value that does
not read as its type stops the copy, and the message shows it: nothing is guessed, nothing is lost.
The source itself is only read.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import duckdb
from duckdb import DuckDBPyConnection

from . import files
from .errors import UserError
from .violations import EXAMPLES, Violation, refuse

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
    """Our columns, in order."""
    order: tuple[str, ...]
    """Columns to sort by; one order only, when no two rows are equal in all of them."""
    optional: tuple[str, ...] = ()
    """Columns that a source may lack; the file then lacks them too."""


@dataclass(frozen=True)
class _Rows:
    """The source's rows under our names, each column still as the source has it."""

    query: str
    values: Sequence[Any]
    readings: Mapping[str, str]
    """Our columns and the expression that reads each as its type; null where it cannot."""


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
        scratch = Path(folder)
        with _mended(source), open_duckdb(scratch, memory_limit_mib) as duck:
            rows = _rows(duck, source, layout, _files(duck, source, scratch))
            _refuse_unreadable(duck, source, layout, rows)
            _write(duck, source, layout, rows, scratch / "sorted.parquet")
        (scratch / "sorted.parquet").replace(target)


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
        connection.execute("SET enable_progress_bar = false")  # a command shows its own
        yield connection


@contextmanager
def _mended(source: Source) -> Iterator[None]:
    """Turn an error of DuckDB into a sentence."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise UserError(f"{source} does not fit in the memory limit: raise it.") from error
    except duckdb.Error as error:
        raise UserError(f"{source} cannot be read: {_said(error)}.") from error


def _said(error: duckdb.Error) -> str:
    """Give what an error of DuckDB says as one line, and the file when it names one."""
    text = re.split(r"\n\s*(?:Possible|LINE 1)", str(error))[0].partition(": ")[2]
    said = ", ".join(line.strip() for line in text.splitlines() if line.strip()).rstrip(".")
    file = re.search(r"^\s*file = (.+)$", str(error), re.MULTILINE)
    return f"{said} (in {file[1]})" if file else said


def _files(duck: DuckDBPyConnection, source: Source, scratch: Path) -> list[Path]:
    """List the source's files; the result of a query becomes one first."""
    if source.location != "sql":
        return files.find(source.location)
    from . import database  # noqa: PLC0415  takes three seconds

    database.download(duck, source.query, source.url, result := scratch / "result.parquet")
    return [result]


def _rows(duck: DuckDBPyConnection, source: Source, layout: Layout, paths: list[Path]) -> _Rows:
    """Put our columns of every file one below the other; DuckDB finds types that hold them all."""
    names = _names(source, layout, files.header(paths[0]))
    columns = ", ".join(f"{_quoted(own)} AS {_quoted(ours)}" for ours, own in names.items())
    selects: list[str] = []
    values: list[Any] = []
    for path in paths:
        _refuse_absent(source, names, files.header(path), path)
        reader, parameters = files.reader(path)
        selects.append(f"SELECT {columns} FROM {reader}")  # noqa: S608  names are quoted
        values += parameters
    query = " UNION ALL ".join(selects)
    types = {name: kind for name, kind, *_ in duck.execute(f"DESCRIBE {query}", values).fetchall()}
    readings = {name: _reading(name, kind, layout.types[name]) for name, kind in types.items()}
    return _Rows(query, values, readings)


def _names(source: Source, layout: Layout, header: Sequence[str]) -> dict[str, str]:
    """Map our columns to the source's own, without the optional ones that it lacks."""
    for ours in source.columns:
        if ours not in layout.types:
            raise UserError(
                f'data.columns: "{ours}" is no column of ours; {_near(ours, layout.types)}'
            )
    named = {ours: source.columns.get(ours, ours) for ours in layout.types}
    absent = {ours for ours in layout.optional if named[ours] not in header}
    return {ours: own for ours, own in named.items() if ours not in absent - set(source.columns)}


def _refuse_absent(
    source: Source, names: Mapping[str, str], header: Sequence[str], path: Path
) -> None:
    for ours, own in names.items():
        if own not in header:
            where = source if source.location == "sql" else path
            raise UserError(
                f'{where} has no column "{own}" for {ours}; {_near(own, header)} '
                f"Write its name under data.columns: {ours} = ..."
            )


def _near(name: str, known: Iterable[str]) -> str:
    """Ask whether the nearest name was meant, or list them all."""
    lower = {other.lower(): other for other in known}
    near = get_close_matches(name.lower(), lower, n=1)
    return (
        f'did you mean "{lower[near[0]]}"?' if near else f"there are {', '.join(lower.values())}."
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _reading(name: str, kind: str, wanted: Type) -> str:
    """Give the SQL that reads a column of the type `kind` as the wanted one; null where not."""
    column = _quoted(name)
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
    duck: DuckDBPyConnection, source: Source, layout: Layout, rows: _Rows
) -> None:
    """Count the values that do not read as their type, all columns in one pass, and show some."""
    doubtful = {
        name: f"{_quoted(name)} IS NOT NULL AND {reading} IS NULL"
        for name, reading in rows.readings.items()
        if "TRY_CAST" in reading
    }
    if not doubtful:
        return
    counts = ", ".join(f"count(*) FILTER ({unreadable})" for unreadable in doubtful.values())
    found = duck.execute(f"SELECT {counts} FROM ({rows.query})", rows.values).fetchall()[0]  # noqa: S608
    broken = [
        Violation(_called(source, name), RULES[layout.types[name]], count, examples)
        for (name, unreadable), count in zip(doubtful.items(), found, strict=True)
        if count and (examples := _examples(duck, rows, unreadable))
    ]
    if broken:
        raise refuse(str(source), broken)


def _examples(duck: DuckDBPyConnection, rows: _Rows, condition: str) -> list[dict[str, object]]:
    query = f"SELECT * FROM ({rows.query}) WHERE {condition} LIMIT {EXAMPLES}"  # noqa: S608
    found = duck.execute(query, rows.values).fetchall()
    return [dict(zip(rows.readings, row, strict=True)) for row in found]


def _called(source: Source, name: str) -> str:
    own = source.columns.get(name, name)
    return name if own == name else f'{name} (your "{own}")'


def _write(
    duck: DuckDBPyConnection, source: Source, layout: Layout, rows: _Rows, target: Path
) -> None:
    """Read every column as its type, sort, and write."""
    columns = ", ".join(f"{reading} AS {_quoted(n)}" for n, reading in rows.readings.items())
    order = ", ".join(_quoted(name) for name in layout.order)
    query = f"SELECT {columns} FROM ({rows.query}) ORDER BY {order}"  # noqa: S608
    copied = duck.execute(f"COPY ({query}) TO ? (FORMAT parquet)", [*rows.values, str(target)])
    if not copied.fetchall()[0][0]:
        raise UserError(f"{source} has no rows: name a source that has some.")
