"""Columns in NumPy's .npz format, without pickle.

A column of dtype object, text for one, is stored as JSON, value by value; any other as it is.
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
            else:
                arrays[f"{key}/array"] = values
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def from_npz(content: bytes) -> dict[str, Columns]:
    """Return the tables of a file: values, types and shapes are those that were stored."""
    tables: dict[str, dict[str, NDArray[Any]]] = {}
    with np.load(BytesIO(content), allow_pickle=False) as arrays:
        for key, values in arrays.items():
            table, _, column = key.partition("/")
            name, _, kind = column.rpartition("/")
            column_values = _from_json(values) if kind == "json" else values
            tables.setdefault(table, {})[name] = column_values
    return {**tables}


def _to_json(key: str, values: NDArray[Any]) -> NDArray[np.bytes_]:
    texts = [json.dumps(value) for value in values.flat]
    if [json.loads(text) for text in texts] != [*values.flat]:  # a tuple would become a list
        raise TypeError(f"{key} has values that JSON changes")
    return np.array(texts, np.bytes_).reshape(values.shape)


def _from_json(texts: NDArray[np.bytes_]) -> NDArray[Any]:
    values = np.empty(texts.shape, object)
    for index, text in np.ndenumerate(texts):  # one by one: a list as a value must stay one
        values[index] = json.loads(text)
    return values
