"""The past of requests: earlier rows of the same card, product or household, joined to theirs.

A request is about one row. Its features are windows over earlier rows of its entities, which the
request carries, or which the server remembers. Either way they are put around the row, and the
kernel of the table computes over all of them: it makes no difference who knew them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .contract import Columns, Past
from .windows import NOBODY

EVENT = "event"
"""The column with the name of a row, by which it is remembered once."""
Entities: TypeAlias = Mapping[str, tuple[str, ...]]


def joined(
    rows: Columns, pasts: Sequence[Past], entities: Entities
) -> tuple[Columns, NDArray[np.int64]]:
    """Put rows among their pasts; give all in order of time, and the places of the rows.

    `rows`: timestamp (int64, milliseconds) and raw columns, (requests,) each; a past has for an
    entity timestamp and the columns of `entities`, in order of time and none later than its row, or
    lacks the entity when it has no such rows.
    The result has one integer code a row for each entity: that of the request, or `NOBODY` where a
    row is there for another entity of the request. Rows of one millisecond stay as they came, and a
    request's row comes after its past.
    """
    blocks = [(n, *block) for n, past in enumerate(pasts, 1) for block in past.items()]
    count = len(rows["timestamp"])
    total = sum(len(block["timestamp"]) for _, _, block in blocks) + count
    names = [name for name in rows if name not in (*entities, EVENT)]
    found: dict[str, NDArray[Any]] = {name: np.zeros(total, rows[name].dtype) for name in names}
    found |= {entity: np.full(total, NOBODY) for entity in entities}
    end = 0
    for number, entity, block in blocks:
        start, end = end, end + len(block["timestamp"])
        found[entity][start:end] = number
        for name in ("timestamp", *entities[entity]):
            found[name][start:end] = block[name]
    for name in names:
        found[name][end:] = rows[name]
    for entity in entities:
        found[entity][end:] = np.arange(1, count + 1)
    order = np.argsort(found["timestamp"], kind="stable")
    places = np.empty(total, np.int64)
    places[order] = np.arange(total)
    return {name: values[order] for name, values in found.items()}, places[end:]
