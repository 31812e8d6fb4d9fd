"""How the table is read by its schema, and the rules for its rows."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandera.polars as pa
import polars as pl

from .sources import Layout, Type, quoted
from .table_schema import LARGEST, SCHEMA, Column, Schema

READ_AS: Mapping[str, Type] = {
    "number": "DOUBLE",
    "integer": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "TIMESTAMP_MS",
    "category": "VARCHAR",
    "text": "VARCHAR",
}
COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
"""Numbers with a decimal comma, as a regular expression."""


def used_columns(schema: Schema) -> Mapping[str, Column]:
    """Return the columns that are not ignored."""
    return {name: c for name, c in schema.columns.items() if c.role != "ignored"}


def layout(schema: Schema, optional: tuple[str, ...] | None = None) -> Layout:
    """Return how to read the table: the types of its columns, and how their texts are cleaned.

    The rows are sorted by all columns, so that the same rows in another order are the same data;
    those to predict, which may lack `optional` columns, keep their order.
    """
    used = used_columns(schema)
    first = schema.of_role("time", "id", "group")
    return Layout(
        types={name: READ_AS[column.type] for name, column in used.items()},
        order=(*first, *(n for n in used if n not in first)) if optional is None else (),
        optional=optional or (),
        cleaned={name: cleaned(schema, name, column) for name, column in used.items()},
    )


def known(name: str, nulls: tuple[str, ...]) -> str:
    """Return SQL for a column of text, null where a text stands for a missing value."""
    missing = ", ".join("'" + null.replace("'", "''") + "'" for null in ("", *nulls))
    return f"CASE WHEN trim({quoted(name)}) NOT IN ({missing}) THEN {quoted(name)} END"


def cleaned(schema: Schema, name: str, column: Column) -> str:
    """Return SQL for a column of text that the source writes in a way of its own."""
    text = known(name, schema.null_values)
    if column.decimal == ",":
        plain = f"replace(replace({text}, '.', ''), ',', '.')"
        text = f"CASE WHEN regexp_full_match({text}, '{COMMA}') THEN {plain} ELSE {text} END"
    if column.format:
        moment = f"try_strptime({text}, '{column.format}')"
        text = f"CASE WHEN year({moment}) > 999 THEN CAST({moment} AS VARCHAR) ELSE {text} END"
    return text


def rules(columns: Mapping[str, Column]) -> pa.DataFrameSchema:
    """Declare the rules for a row of the table."""
    dtypes: Mapping[Type, Any] = {
        "DOUBLE": pl.Float64,
        "BOOLEAN": pl.Boolean,
        "TIMESTAMP_MS": pl.Datetime("ms"),
        "VARCHAR": pl.String,
    }
    return pa.DataFrameSchema(
        {
            name: pa.Column(dtypes[READ_AS[c.type]], [*_checks(c)], nullable=c.missing > 0)
            for name, c in columns.items()
        }
    )


def _checks(column: Column) -> Iterator[pa.Check]:
    edit = f"or change {SCHEMA}"
    if READ_AS[column.type] == "DOUBLE":
        within = f"must lie between -{LARGEST:g} and {LARGEST:g}"
        yield pa.Check.in_range(-LARGEST, LARGEST, error=within)
    if column.type == "integer":
        yield pa.Check(_is_whole, error=f"must be a whole number, {edit}")
    if column.min is not None:
        yield pa.Check.ge(column.min, error=f"must be at least {column.min:g}, {edit}")
    if column.max is not None:
        yield pa.Check.le(column.max, error=f"must be at most {column.max:g}, {edit}")
    if column.type == "category" and column.categories and not column.others:
        yield pa.Check.isin(column.categories, error=f"must be one of its categories, {edit}")


def _is_whole(data: pa.PolarsData) -> pl.LazyFrame:
    return data.lazyframe.select(pl.col(data.key) == pl.col(data.key).round())
