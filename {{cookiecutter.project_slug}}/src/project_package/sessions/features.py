"""Turn the purchases of a household into its recent baskets, for table and server alike.

A row is the moment of a basket. Its features are the baskets of the year before: `baskets`, tuples
of items, the oldest first, and `days`, how long before the row each was bought. The model looks
items up in its catalogue, as a language model does with words; so rows hold names.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..columns import TIMESTAMP, Columns
from ..contract.checklist import permuted
from ..contract.history import Entity, HistoryRows

HOUSEHOLD = "household_id"
ITEM = "item"
DAYS = 365
"""How far back features look."""
BASKETS = 1_000
"""How many baskets they hold, at most: the newest."""
MILLISECONDS_A_DAY = 86_400_000
ENTITIES = (Entity(HOUSEHOLD, timedelta(days=DAYS), (ITEM,)),)
Items: TypeAlias = tuple[str, ...]


def objects(values: Iterable[Any]) -> NDArray[Any]:
    """Return Python objects as a column."""
    return np.fromiter(values, dtype=object)


def to_baskets(
    times: NDArray[np.int64], items: NDArray[Any]
) -> tuple[NDArray[np.int64], list[Items]]:
    """Return the times of baskets, ascending, and the sorted items of each.

    `times` (milliseconds) and `items` are those of purchases in order of time.
    """
    distinct, starts = np.unique(times, return_index=True)
    groups = np.split(items, starts)[1:]  # nothing is before the first
    return distinct, [tuple(sorted({*group})) for group in groups]


def window(times: NDArray[np.int64], now: int) -> tuple[int, int]:
    """Return which baskets are those of the year up to `now`: their indices are [start, end)."""
    year = [now - DAYS * MILLISECONDS_A_DAY, now]
    start, end = np.searchsorted(times, year, side="right").tolist()
    return max(start, end - BASKETS), end


def days_before(now: int, times: NDArray[np.int64], start: int, end: int) -> list[float]:
    """Return how many days before `now` the baskets at [start, end) were bought."""
    days: list[float] = ((now - times[start:end]) / MILLISECONDS_A_DAY).tolist()
    return days


def recent(
    times: NDArray[np.int64], baskets: Sequence[Items], now: int
) -> tuple[tuple[Items, ...], tuple[float, ...]]:
    """Return the baskets of the year up to `now`, and how many days ago each was bought."""
    start, end = window(times, now)
    return tuple(baskets[start:end]), tuple(days_before(now, times, start, end))


def ablations(rows: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield rows without a part of what features say, for `ml checklist`."""
    yield from permuted(rows, {"baskets": ("baskets", "days")})
    last = {name: objects(values[-1:] for values in rows[name]) for name in ("baskets", "days")}
    yield "earlier baskets", {**rows, **last}
    yield "days", {**rows, "days": objects((1.0,) * len(days) for days in rows["days"])}


def features(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Compute baskets and days of rows, each from the purchases of its household."""
    read = []
    for now, history in zip(rows[TIMESTAMP].tolist(), histories, strict=True):
        bought = history.get(
            HOUSEHOLD, {TIMESTAMP: np.empty(0, np.int64), ITEM: np.empty(0, object)}
        )
        read.append(recent(*to_baskets(bought[TIMESTAMP], bought[ITEM]), now))
    return {
        "baskets": objects(baskets for baskets, _ in read),
        "days": objects(days for _, days in read),
    }
