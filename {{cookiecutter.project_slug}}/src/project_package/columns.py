"""Rows as named arrays of equal length, and how flat models become rows."""

import hashlib
import types
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from pydantic_core import to_json

from .errors import MissingColumn

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Named arrays of equal length, one row per instance; text has dtype object."""
TIMESTAMP = "timestamp"
"""The column of rows with their time: int64, milliseconds since 1970, UTC."""
EXPLAIN = "explain"
"""The column of rows, bool, that asks for reasons, and its field of a request."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def take(columns: Columns, rows: NDArray[Any] | slice) -> Columns:
    """Select rows by a mask, by indices or as a slice."""
    return {name: values[rows] for name, values in columns.items()}


def concatenate(parts: Sequence[Columns]) -> Columns:
    """Return the rows of all parts, one part after the other, with the columns of the first."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def length(columns: Columns) -> int:
    """Return the number of rows."""
    return len(next(iter(columns.values())))


def digest(columns: Columns) -> str:
    """Return the SHA-256 of the names, types and values of all columns."""
    total = hashlib.sha256()
    for name, values in sorted(columns.items()):
        total.update(f"{name} {values.dtype} {values.shape}\n".encode())
        if values.dtype.kind in "OTU":  # the bytes of an object column are addresses
            for value in values.flat:  # the text of all may not fit in memory
                total.update(f"{value}\0".encode())
        else:
            total.update(values.tobytes())
    return total.hexdigest()


def weighted_mean(values: NDArray[Any], weights: NDArray[np.float64] | None = None) -> float:
    """Return the mean of values, (rows,) each, by weights (None: all 1); NaN without weight."""
    counted = np.ones(len(values)) if weights is None else weights
    total = float(counted.sum())
    return float(np.sum(counted * values)) / total if total else np.nan  # `@` would use threads


def stack(
    columns: Columns, names: Iterable[str], dtype: type[np.floating[Any]] = np.float32
) -> NDArray[Any]:
    """Stack columns as the inputs of a model: (rows, names).

    Raises:
        MissingColumn: the rows do not have a column.
    """
    try:
        return np.stack([columns[name] for name in names], axis=1, dtype=dtype)
    except KeyError as error:
        raise MissingColumn(*error.args) from error


def decisions_differ(first: Columns, second: Columns) -> NDArray[np.bool_]:
    """Return the rows, (rows,), in which a decision differs between two predictions.

    A prediction that is not a floating-point number is a decision: a class, a segment, an item.
    """
    differs = np.zeros(length(first), np.bool_)
    for name, values in first.items():
        if values.dtype.kind != "f":
            differs |= (values != second[name]).reshape(len(values), -1).any(axis=1)
    return differs


def columns_of(model: type[BaseModel]) -> Mapping[str, type]:
    """Return the columns of the rows that `to_rows` makes, each with its type.

    str for text, float for numbers and booleans, int for the timestamp.
    """
    return {TIMESTAMP if kind is int else name: kind for name, kind in _kinds(model).items()}


def to_rows(requests: Sequence[BaseModel], model: type[BaseModel] | None = None) -> Columns:
    """Turn flat models (of type `model` where there may be none) into rows: one column per field.

    Text has dtype object; numbers and booleans float64, None as NaN. The one date or time of the
    model becomes the column `timestamp`: int64, milliseconds since 1970.
    """
    rows: dict[str, NDArray[Any]] = {}
    for name, kind in _kinds(model or type(requests[0])).items():
        values = [getattr(request, name) for request in requests]
        if kind is int:
            rows[TIMESTAMP] = milliseconds(values)
        else:
            rows[name] = np.array(values, object if kind is str else np.float64)
    return rows


def milliseconds(moments: Sequence[date]) -> NDArray[np.int64]:
    """Return whole milliseconds since 1970 of dates, or of times with a zone: (moments,)."""
    days = EPOCH.date()
    seconds = np.array(
        [m.timestamp() if isinstance(m, datetime) else (m - days).days * 86_400.0 for m in moments]
    )
    return np.rint(seconds * 1e6).astype(np.int64) // 1000  # doubles hold microseconds exactly


def instance_keys(rows: Columns, names: Sequence[str]) -> list[str]:
    """Return the values of the columns that together identify an instance as one text, (rows,).

    Where the first is empty, the instance has no id, and its text is empty.
    """
    values = zip(*(rows[name].tolist() for name in names), strict=True)
    return ["" if row[0] == "" else " ".join(map(str, row)) for row in values]


def to_json_rows(columns: Columns) -> list[str]:
    """Return each row as a JSON object; numbers that are not finite become null."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    objects = (dict(zip(columns, row, strict=True)) for row in rows)
    return [to_json(item, inf_nan_mode="null").decode() for item in objects]


def from_json_rows(objects: Sequence[Mapping[str, Any]], like: Columns) -> Columns:
    """Return rows that `to_json_rows` wrote, read as JSON objects, with the dtypes of `like`.

    null becomes NaN in numbers and NaT in times, and lists in columns of objects become tuples.

    Raises:
        MissingColumn: an object lacks a column of `like`.
    """
    try:
        return {
            name: _from_json([item[name] for item in objects], column.dtype)
            for name, column in like.items()
        }
    except KeyError as error:
        raise MissingColumn(*error.args) from error


def _from_json(values: Sequence[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.hasobject:
        return np.fromiter(map(_to_tuples, values), object, len(values))
    return np.array(values, np.str_ if dtype.kind == "U" else dtype)  # of any length


def _to_tuples(value: Any) -> Any:
    return tuple(map(_to_tuples, value)) if isinstance(value, list) else value


@cache
def _kinds(model: type[BaseModel]) -> Mapping[str, type]:
    """Return the type of the column of each field: see `columns_of`."""
    kinds = {name: _kind(field.annotation) for name, field in model.model_fields.items()}
    if list(kinds.values()).count(int) > 1:
        raise TypeError(f"{model.__name__} has two dates: only one can be the timestamp of a row")
    return kinds


def _kind(annotation: Any) -> type:
    if get_origin(annotation) is Literal:
        return _kind(type(get_args(annotation)[0]))
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return next(_kind(part) for part in get_args(annotation) if part is not type(None))
    if not isinstance(annotation, type):
        raise TypeError(f"{annotation} is not a column: use str, a number, a date or a datetime")
    return int if issubclass(annotation, date) else str if issubclass(annotation, str) else float
