"""Columns in NumPy's .npz format, without pickle.

A column of dtype object, text for one, is stored as JSON and its shape; any other as it is.
"""

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns


def to_npz(tables: Mapping[str, Columns]) -> bytes:
    """Return the file of several tables; raise TypeError for an object that JSON would change."""
    arrays: dict[str, NDArray[Any]] = {}
    for table, columns in tables.items():
        for name, values in columns.items():
            key = f"{table}/{name}"
            if values.dtype.kind == "O":
                arrays[f"{key}/json"] = _to_json(key, values)
                arrays[f"{key}/shape"] = np.array(values.shape)
            else:
                arrays[f"{key}/array"] = values
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_npz(content: bytes) -> dict[str, Columns]:
    """Return the tables of a file: values, types and shapes are those that were stored."""
    tables: dict[str, dict[str, NDArray[Any]]] = {}
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        for key in arrays.files:
            table, _, column = key.partition("/")
            name, _, kind = column.rpartition("/")
            if kind == "array":
                tables.setdefault(table, {})[name] = arrays[key]
            elif kind == "json":
                shape = arrays[f"{table}/{name}/shape"]
                tables.setdefault(table, {})[name] = _from_json(arrays[key], shape)
    return {table: dict(columns) for table, columns in tables.items()}


def _to_json(key: str, values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the values, row by row, as the bytes of a JSON list."""
    flat = [*values.flat]
    text = json.dumps(flat)
    if json.loads(text) != flat:  # a tuple would come back as a list
        raise TypeError(f"{key} has values that JSON changes")
    return np.frombuffer(text.encode(), np.uint8)


def _from_json(content: NDArray[np.uint8], shape: NDArray[np.int64]) -> NDArray[Any]:
    flat = json.loads(content.tobytes())
    values = np.empty(len(flat), object)
    for index, value in enumerate(flat):  # a list as a value must stay one
        values[index] = value
    return values.reshape(shape)
