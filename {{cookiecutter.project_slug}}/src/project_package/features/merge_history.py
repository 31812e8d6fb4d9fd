"""Merge a request with the earlier rows of its entities.

They come with the request or from the event store. They are merged with the request's row, so that
the code of the training table computes its features too.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..contract.history import Entity, HistoryRows
from .windows import NO_ENTITY


def merge_history(
    rows: Columns, histories: Sequence[HistoryRows], entities: Sequence[Entity]
) -> tuple[Columns, NDArray[np.int64]]:
    """Merge each row with its history; return all rows in order of time and the rows' positions.

    `rows`: timestamp (int64, milliseconds) and raw columns, (requests,) each. A history has for an
    entity timestamp and the entity's columns, in order of time; an entity without earlier rows may
    be absent. Rows that share the history of an entity, one object, are earlier rows of each other
    too. Columns that an entity does not have are 0 or "".

    The result has for each entity an integer code per row: that of its history, or `NO_ENTITY`
    for a row that belongs to another entity of the request. Rows of one millisecond keep their
    order, and a request's row comes after its history.
    """
    names = {entity.name: entity.columns for entity in entities}
    count = len(rows["timestamp"])
    codes = {entity: np.arange(1, count + 1) for entity in names}
    blocks = dict[int, tuple[int, str, Columns]]()  # histories by identity
    for number, history in enumerate(histories):
        for entity, block in history.items():
            code, *_ = blocks.setdefault(id(block), (number + 1, entity, block))
            codes[entity][number] = code
    total = sum(len(block["timestamp"]) for _, _, block in blocks.values()) + count
    merged: dict[str, NDArray[Any]] = {
        name: np.full(total, "" if values.dtype == object else 0, values.dtype)
        for name, values in rows.items()
        if name not in names
    }
    merged |= {entity: np.full(total, NO_ENTITY) for entity in names}
    end = 0
    for code, entity, block in blocks.values():
        start = end
        end = end + len(block["timestamp"])
        merged[entity][start:end] = code
        for name in ("timestamp", *names[entity]):
            merged[name][start:end] = block[name]
    for name, values in merged.items():
        values[end:] = codes[name] if name in names else rows[name]
    order = np.argsort(merged["timestamp"], kind="stable")
    positions = np.empty(total, np.int64)
    positions[order] = np.arange(total)
    return {name: values[order] for name, values in merged.items()}, positions[end:]
