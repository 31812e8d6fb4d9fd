"""How the table is read by its schema, and the rules for its rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandera.polars as pa
import polars as pl

from .import_rows import Layout, Type, quoted
from .table_schema import LARGEST, MOST_CHARACTERS, SCHEMA, Column, ColumnType, Schema

STORED: Mapping[ColumnType, tuple[Type, Any]] = {
    "number": ("DOUBLE", pl.Float64),
    "integer": ("DOUBLE", pl.Float64),
    "boolean": ("BOOLEAN", pl.Boolean),
    "date": ("TIMESTAMP_MS", pl.Datetime("ms")),
    "category": ("VARCHAR", pl.String),
    "text": ("VARCHAR", pl.String),
}
"""How columns are stored: the types of DuckDB and of Polars."""
COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
"""Numbers with a decimal comma, as a regular expression."""

EPOCHS = {"seconds": 1_000, "milliseconds": 1}
"""Formats of dates that are numbers since 1970, and the milliseconds of one."""
FORMAT_MARK = " | "
"""Between the formats of a column that has several."""


def used_columns(schema: Schema) -> Mapping[str, Column]:
    """Return the columns that are not ignored."""
    return {name: c for name, c in schema.columns.items() if c.role != "ignored"}


def layout(schema: Schema, optional: tuple[str, ...] | None = None) -> Layout:
    """Return how to read the table: the types of its columns, and how their texts are cleaned.

    The rows are sorted by all columns, so that the same rows in another order are the same data;
    those to predict, which may lack `optional` columns, keep their order.
    """
    used = used_columns(schema)
    first = (*schema.of_role("time"), *schema.of_role("id", "group"))
    return Layout(
        types={name: STORED[column.type][0] for name, column in used.items()},
        order=(*first, *(n for n in used if n not in first)) if optional is None else (),
        optional=optional or (),
        cleaned={name: readable(schema, name, column) for name, column in used.items()},
    )


def known_text(name: str, nulls: tuple[str, ...]) -> str:
    """Return SQL for a column of text, null where a text stands for a missing value."""
    missing = ", ".join("'" + null.replace("'", "''") + "'" for null in ("", *nulls))
    column = quoted(name)
    return f"CASE WHEN trim(CAST({column} AS VARCHAR)) NOT IN ({missing}) THEN {column} END"


def cleaned(schema: Schema, name: str, column: Column) -> str:
    """Return SQL for a column of text as DuckDB reads it; numbers beyond the limits are null."""
    text = readable(schema, name, column)
    if column.type in ("number", "integer"):
        text = f"CASE WHEN abs(TRY_CAST({text} AS DOUBLE)) <= {LARGEST} THEN {text} END"
    return text


def readable(schema: Schema, name: str, column: Column) -> str:
    """Return SQL for a column of text that the source writes in a way of its own."""
    text = known_text(name, schema.null_values)
    if column.decimal == ",":
        plain = f"replace(replace({text}, '.', ''), ',', '.')"
        text = f"CASE WHEN regexp_full_match({text}, '{COMMA}') THEN {plain} ELSE {text} END"
    if column.format:
        text = f"regexp_replace(nullif(CAST({text} AS VARCHAR), 'nan'), '\\.0$', '')"
        formats = sorted(column.format.split(FORMAT_MARK), key=lambda name: "%Y" in name)
        listed = ", ".join("'" + name.replace("'", "''") + "'" for name in formats)
        moment = f"try_strptime({text}, [{listed}])"  # two digits of a year first
        if factor := EPOCHS.get(column.format):
            number = f"TRY_CAST(TRY_CAST({text} AS DOUBLE) * {factor} AS BIGINT)"
            moment = f"TRY(make_timestamp_ms({number}))"
        text = f"CASE WHEN year({moment}) > 999 THEN CAST({moment} AS VARCHAR) ELSE {text} END"
    return text


def rules(columns: Mapping[str, Column], limits: bool = True) -> pa.DataFrameSchema:
    """Declare the rules for a row of the table; `limits` are ranges and categories."""
    declared = {
        name: pa.Column(STORED[c.type][1], [*_checks(c, limits)], nullable=True)
        for name, c in columns.items()
    }
    return pa.DataFrameSchema(declared)


def _checks(column: Column, limits: bool) -> Iterator[pa.Check]:
    edit = f"or change {SCHEMA}"
    if not column.missing and (column.role, column.type) != ("feature", "text"):
        known = f"must not be missing: fill it in, or set missing = 0.1 in {SCHEMA} and train again"
        yield pa.Check(_has_value, error=known, ignore_na=False)
    if column.type in ("number", "integer"):
        low = column.min if limits and column.min is not None else -LARGEST
        high = column.max if limits and column.max is not None else LARGEST
        yield pa.Check.in_range(low, high, error=f"must lie between {low:g} and {high:g}, {edit}")
    if column.type == "integer":
        yield pa.Check(_is_whole, error=f"must be a whole number, {edit}")
    if longest := MOST_CHARACTERS.get(column.type):
        short = f"must have at most {longest:,} characters, {edit}"
        yield pa.Check.str_length(0, longest, error=short)
    if limits and column.type == "category" and column.categories and not column.others:
        yield pa.Check.isin(column.categories, error=f"must be one of its categories, {edit}")


def _has_value(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key).is_not_null())


def _is_whole(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key) == pl.col(data.key).round())
