"""Merge requests with their histories, so that one kernel computes features for both.

The features of a request are windows over earlier rows of its entities, which the request carries
or the event store supplies. Either way they are merged with the request's row, and the code that
computed the features of the training table computes those of the request.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Entity, HistoryRows
from .windows import NO_ENTITY


def merge_history(
    rows: Columns, histories: Sequence[HistoryRows], entities: Sequence[Entity]
) -> tuple[Columns, NDArray[np.int64]]:
    """Merge each row with its history; return all rows in order of time and the rows' positions.

    `rows`: timestamp (int64, milliseconds) and raw columns, (requests,) each. A history has for an
    entity timestamp and the entity's columns, in order of time and none later than the row; it
    lacks the entity when there are no earlier rows. Columns that an entity lacks are 0.

    The result has for each entity an integer code per row: that of the request, or `NO_ENTITY`
    for a row that belongs to another entity of the request. Rows of one millisecond keep their
    order, and a request's row comes after its history.
    """
    names = {entity.name: entity.columns for entity in entities}
    blocks = [(n, *block) for n, history in enumerate(histories, 1) for block in history.items()]
    count = len(rows["timestamp"])
    total = sum(len(block["timestamp"]) for _, _, block in blocks) + count
    raw = [name for name in rows if name not in names and rows[name].dtype != object]
    merged: dict[str, NDArray[Any]] = {name: np.zeros(total, rows[name].dtype) for name in raw}
    merged |= {name: np.full(total, "", object) for name in _text_columns(rows, entities)}
    merged |= {entity: np.full(total, NO_ENTITY) for entity in names}
    end = 0
    for number, entity, block in blocks:
        start, end = end, end + len(block["timestamp"])
        merged[entity][start:end] = number
        for name in ("timestamp", *names[entity]):
            merged[name][start:end] = block[name]
    for name, values in merged.items():
        values[end:] = np.arange(1, count + 1) if name in names else rows[name]
    order = np.argsort(merged["timestamp"], kind="stable")
    positions = np.empty(total, np.int64)
    positions[order] = np.arange(total)
    return {name: values[order] for name, values in merged.items()}, positions[end:]


def _text_columns(rows: Columns, entities: Sequence[Entity]) -> set[str]:
    """Return the text columns that features read; ids are not among them."""
    read = {name for entity in entities for name in entity.columns}
    return {name for name in read if rows[name].dtype == object}
