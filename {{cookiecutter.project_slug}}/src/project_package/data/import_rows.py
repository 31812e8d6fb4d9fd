"""Copy own data, files or the result of a query, into one Parquet file of a fixed layout.

The file has our column names and types, times in UTC without a zone, and sorted rows. DuckDB does
the work under a memory limit and spills to disk, beside the target. A value that cannot be read as
its type stops the copy, and the message shows it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, Self, TypeAlias

import duckdb
from duckdb import ColumnExpression, DuckDBPyConnection, DuckDBPyRelation, SQLExpression
from pydantic import Field

from .. import settings
from ..errors import UserError, require_known, suggest
from ..frozen import Frozen
from .open_files import cause_of, find_files, in_utf8, open_file
from .violations import SHOWN, Violation, violations_error

Type: TypeAlias = Literal["VARCHAR", "TIMESTAMP_MS", "DOUBLE", "BOOLEAN"]
RULES: Mapping[Type, str] = {
    "VARCHAR": "must be text",
    "TIMESTAMP_MS": "must be a date and time such as 2024-01-31 23:59:59; data.read reads others",
    "DOUBLE": "must be a number such as 12.5; data.read reads others",
    "BOOLEAN": "must be true or false (or 1 or 0); data.read reads others",
}


class SourceParams(Frozen):
    """The parameters of own data: a part of the section [data] of each use case."""

    source: str
    """A path or glob pattern of Parquet or CSV files, or the word `sql`."""
    query: str = Field(default="", description="for sql: the query; DATA_URL has the address")
    columns: dict[str, str] = Field(default={}, description="our column name = own column name")
    read: dict[str, str] = Field(default={}, description="our column name = SQL to read it by")
    encoding: str = Field(default="", description="of CSV files that are not in UTF-8")
    memory_limit_mib: int = Field(
        default=1024, ge=700, description="of the process while it copies and validates rows"
    )

    @property
    def duckdb_mib(self) -> int:
        """The part of the limit for DuckDB; the program with its libraries takes 560 MiB."""
        return self.memory_limit_mib - 560

    @property
    def title(self) -> str:
        """The name of the source in messages."""
        return "The result of data.query" if self.source == "sql" else self.source

    def with_source(self, file: Path) -> Self:
        """Return the parameters of another file with the same columns, such as that of a batch."""
        return self.model_copy(update={"source": str(file.absolute())})


@dataclass(frozen=True)
class Layout:
    """The columns of the file and its order."""

    types: Mapping[str, Type]
    """Our columns, in order."""
    order: tuple[str, ...]
    """Columns to sort by; without any, rows keep the order of the source."""
    optional: tuple[str, ...] = ()
    """Columns that may be missing in a source; then they are missing in the file too."""
    cleaned: Mapping[str, str] = field(default_factory=dict)
    """SQL to read instead of a column of text, such as `replace(price, ',', '.')`."""


def import_rows(params: SourceParams, layout: Layout | None, target: Path) -> None:
    """Write the source's rows to the Parquet file `target`, replaced once the copy is complete.

    Without a layout, every column becomes text. Times with a zone are converted to UTC, times
    without one are taken as UTC; both are truncated to milliseconds. Whole floats (5.0) become text
    without the `.0`.

    Raises:
        UserError: no such file, column or database, a file that cannot be read, a value that
            cannot be read as its type, no rows, or a memory limit that is too small.
    """
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as folder:
        complete = Path(folder) / "sorted.parquet"
        try:
            with open_duckdb(Path(folder), params.duckdb_mib) as duck:
                tables = _open_tables(duck, params, Path(folder))
                header = next(iter(tables.values())).columns
                layout = layout or Layout(dict.fromkeys(header, "VARCHAR"), order=())
                rows = _rows(duck, tables, params, layout)
                readings = {
                    name: _reading(name, str(kind), layout.types[name])
                    for name, kind in zip(rows.columns, rows.types, strict=True)
                }
                _refuse_unreadable(params, layout, rows, readings)
                typed = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in readings.items())
                table = rows.select(typed)
                if layout.order:
                    table = table.order(", ".join(map(quoted, layout.order)))
                else:
                    duck.execute("SET preserve_insertion_order = true")
                table.write_parquet(str(complete))
        except duckdb.Error as error:
            read = "; data.read is part of the query" if params.read else ""
            cause = cause_of(str(error)) + read
            raise UserError(f"{params.title} cannot be read: {cause}.") from error
        complete.replace(target)


@contextmanager
def open_duckdb(scratch: Path, memory_limit_mib: int) -> Iterator[DuckDBPyConnection]:
    """Open DuckDB in memory; it spills what exceeds the limit (MiB) to files in `scratch`."""
    options: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": f"{memory_limit_mib}MiB",
        "temp_directory": str(scratch / "spilled"),
        "threads": min(4, os.cpu_count() or 1),  # each needs its share of the memory
        "preserve_insertion_order": False,  # saves memory; files are sorted explicitly
        "autoinstall_known_extensions": False,  # no network
    }
    with duckdb.connect(config=options) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


@contextmanager
def within_limit(failure: str, duckdb_mib: int) -> Iterator[None]:
    """Explain what DuckDB raises when its limit (MiB) or the disk is too small.

    Raises:
        UserError: the limit is too small; the message begins with `failure`.
        OSError: the disk is full.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise UserError(
            f"{failure} in the {duckdb_mib} MiB that data.memory_limit_mib leaves to DuckDB: "
            "increase it."
        ) from error
    except duckdb.IOException as error:
        raise OSError(str(error)) from error


def quoted(name: str) -> str:
    """Quote the name of a column for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _open_tables(
    duck: DuckDBPyConnection, params: SourceParams, scratch: Path
) -> Mapping[str, DuckDBPyRelation]:
    """Open the files of a source, or the result of its query, which is downloaded to `scratch`."""
    if params.source == "sql":
        from .database import download  # noqa: PLC0415  takes three seconds

        url = settings.read_settings(settings.Settings).data_url.get_secret_value()
        download(duck, params.query, url, scratch / "result.parquet")
        return {params.title: open_file(duck, scratch / "result.parquet")}
    paths = {path: in_utf8(path, params.encoding, scratch) for path in find_files(params.source)}
    return {str(path): open_file(duck, readable) for path, readable in paths.items()}


def _rows(
    duck: DuckDBPyConnection,
    tables: Mapping[str, DuckDBPyRelation],
    params: SourceParams,
    layout: Layout,
) -> DuckDBPyRelation:
    """Concatenate our columns of every file; DuckDB finds types that hold all values."""
    require_known("data.columns", params.columns, "an expected column", layout.types)
    require_known("data.read", params.read, "an expected column", layout.types)
    header = next(iter(tables.values())).columns
    names = {ours: params.columns.get(ours, ours) for ours in layout.types}
    names = {n: own for n, own in names.items() if n not in layout.optional or own in header}
    queries = []
    for where, table in tables.items():
        for ours, source in names.items():
            if source not in table.columns:
                raise UserError(
                    f'{where} has no column "{source}" for {ours}; {suggest(source, table.columns)}'
                    f" Write its name under data.columns: {ours} = ..."
                )
        renamed = (ColumnExpression(source).alias(name) for name, source in names.items())
        selected = table.select(*renamed)
        columns = (
            SQLExpression(params.read.get(name) or _cleaned(layout, name, str(kind))).alias(name)
            for name, kind in zip(selected.columns, selected.types, strict=True)
        )
        queries.append(f"({selected.select(*columns).sql_query()})")
    return duck.sql(" UNION ALL ".join(queries))


def _cleaned(layout: Layout, name: str, kind: str) -> str:
    """Return SQL for a column of the source: text is cleaned, and NaN is a missing value.

    Numbers are cleaned as text where dates are wanted.
    """
    column = quoted(name)
    is_number = layout.types[name] == "TIMESTAMP_MS" and not kind.startswith(("TIMESTAMP", "DATE"))
    if name in layout.cleaned and (kind == "VARCHAR" or is_number):
        return layout.cleaned[name]
    if kind in ("FLOAT", "DOUBLE"):  # isnan is never true: statistics of Parquet leave out NaN
        return f"CASE WHEN isfinite({column}) OR isinf({column}) THEN {column} END"
    return column


def _reading(column: str, kind: str, wanted: Type) -> str:
    """Return SQL that casts a column of type `kind` to the wanted one; null where it fails."""
    column = quoted(column)
    text = f"CAST({column} AS VARCHAR)"
    if kind in ("FLOAT", "DOUBLE") or wanted == "BOOLEAN":  # 5.0: pandas, where one is missing
        text = f"regexp_replace({text}, '\\.0$', '')"
    if wanted == "TIMESTAMP_MS":
        # Casting text to a type without a zone would drop the zone silently.
        is_time = kind.startswith(("TIMESTAMP", "DATE"))
        moment = column if is_time else f"TRY_CAST({text} AS TIMESTAMPTZ)"
        time = f"TRY_CAST({moment} AS TIMESTAMP_MS)"
        return f"CASE WHEN year({time}) BETWEEN 1000 AND 9999 THEN {time} END"  # not 24-01-31
    if kind == wanted:
        return column
    return text if wanted == "VARCHAR" else f"TRY_CAST({text} AS {wanted})"


def _refuse_unreadable(
    params: SourceParams, layout: Layout, rows: DuckDBPyRelation, readings: Mapping[str, str]
) -> None:
    """Raise with examples when values cannot be read as their type; count them in one pass."""
    unreadable = {n: f"{quoted(n)} IS NOT NULL AND {sql} IS NULL" for n, sql in readings.items()}
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in unreadable.values())
    total, *failures = rows.aggregate(f"count(*), {counts}").fetchall()[0]
    if not total:
        raise UserError(f"{params.title} has no rows.")
    broken = []
    for (name, condition), count in zip(unreadable.items(), failures, strict=True):
        if count:
            examples = rows.filter(condition).limit(SHOWN).pl().to_dicts()
            broken.append(Violation(name, RULES[layout.types[name]], count, examples))
    if broken:
        raise violations_error(params.title, broken, params.columns)
