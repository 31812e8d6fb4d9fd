"""The feature step: payments in, one Parquet file with their features out, in bounded memory.

A table of any length is worked off in stretches of days. Each is read together with the rows that
its windows look back on, and gets the numbers it would get from the whole table, bit for bit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import UserError
from .features import (
    CARD,
    CARD_FEATURES,
    INPUTS,
    LOOKBACK_DAYS,
    ROW_FEATURES,
    TERMINAL,
    TERMINAL_FEATURES,
    feature_columns,
)

KEPT = ("transaction_id", "timestamp", CARD, TERMINAL, "amount", "is_fraud", "scenario")
HISTORY_DAYS = ceil(max(LOOKBACK_DAYS.values()))
HALVES = ((*ROW_FEATURES, *CARD_FEATURES), TERMINAL_FEATURES)
ROW_GROUP = 2**17
PROGRAM_MIB, BYTES_READ, BYTES_WRITTEN = 350, 230, 140
"""Memory, measured: the program with its libraries, a row read, and a row written beside that."""


@dataclass(frozen=True)
class Stretch:
    """The rows from `start` up to `end`, and those they look back on, from `history` on."""

    history: datetime
    start: datetime
    end: datetime


def build_feature_table(
    payments: pl.LazyFrame,
    target: Path,
    memory_limit_mib: int = 1024,
    progress: Callable[[float], None] | None = None,
) -> None:
    """Write payments and their float32 features to the Parquet file `target`, in order of time.

    `payments` has the columns of the simulator and is sorted by timestamp; scenario may be absent,
    is_fraud may be null in the last seven days. `progress` is told the share of days done. A file
    at `target` is replaced once the new one is complete.

    Raises UserError when there are no payments, or when the memory limit cannot hold one day with
    what it looks back on; ValueError when the payments are not in order of time.
    """
    first_day, counts = _rows_a_day(payments)
    parts = stretches(first_day, counts, memory_limit_mib)
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        _write(payments, parts, unfinished, progress)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def stretches(
    first_day: datetime, counts: NDArray[np.int64], memory_limit_mib: int
) -> list[Stretch]:
    """Cut the days into stretches as long as the memory limit allows, history included.

    `counts` has the rows of each day from `first_day` on. Raises UserError when a day does not fit.
    """
    budget = (memory_limit_mib - PROGRAM_MIB) * 2**20
    before = np.concatenate([[0], np.cumsum(counts)])
    parts: list[Stretch] = []
    start = 0
    while start < len(counts):
        history = max(start - HISTORY_DAYS, 0)
        cost = BYTES_READ * (before - before[history]) + BYTES_WRITTEN * (before - before[start])
        end = int(np.searchsorted(cost, budget, side="right")) - 1
        if end <= start:
            raise UserError(
                f"the memory limit of {memory_limit_mib} MiB does not hold one day with the "
                f"{HISTORY_DAYS} days before it: allow at least "
                f"{PROGRAM_MIB + ceil(cost[start + 1] / 2**20)} MiB"
            )
        parts.append(Stretch(*(first_day + timedelta(days=day) for day in (history, start, end))))
        start = end
    return parts


def _rows_a_day(payments: pl.LazyFrame) -> tuple[datetime, NDArray[np.int64]]:
    """Give the first day and the number of rows of each day from it on."""
    day = pl.col("timestamp").dt.truncate("1d").alias("day")
    days = payments.group_by(day).agg(rows=pl.len()).sort("day").collect(engine="streaming")
    if days.is_empty():
        raise UserError("there are no payments: run the data stage first")
    place = (days["day"] - days["day"][0]).dt.total_days().to_numpy()
    counts = np.zeros(place[-1] + 1, dtype=np.int64)
    counts[place] = days["rows"].to_numpy()
    return days["day"][0], counts


def _write(
    payments: pl.LazyFrame,
    parts: Sequence[Stretch],
    target: Path,
    progress: Callable[[float], None] | None,
) -> None:
    """Append one stretch after another to a new file."""
    start, end = parts[0].start, parts[-1].end
    # One pool for all stretches: new threads would each leave memory behind.
    with ThreadPoolExecutor(len(HALVES)) as pool:
        schema = _with_features(payments.head(0), parts[0], pool).to_arrow().schema
        # Values that hardly repeat make a dictionary slow to write and no smaller.
        coded = [CARD, TERMINAL]
        with pq.ParquetWriter(target, schema, compression="lz4", use_dictionary=coded) as writer:
            for part in parts:
                _append(writer, _with_features(payments, part, pool))
                if progress is not None:
                    progress((part.end - start) / (end - start))


def _append(writer: pq.ParquetWriter, table: pl.DataFrame) -> None:
    """Write slice by slice; when this returns, the table and its slices are free again."""
    for rows in table.iter_slices(ROW_GROUP):
        writer.write_table(rows.to_arrow())


def _with_features(payments: pl.LazyFrame, part: Stretch, pool: Executor) -> pl.DataFrame:
    """Read a stretch with its history; give its rows with their features."""
    time = pl.col("timestamp")
    read = payments.filter(time.is_between(part.history, part.end, closed="left")).select(
        time.cast(pl.Datetime("ms")).to_physical(),
        pl.col(CARD, TERMINAL).cast(pl.Categorical).to_physical(),
        "amount",
        pl.col("is_fraud").fill_null(False),
    )
    rows = {column.name: column.to_numpy() for column in read.collect(engine="streaming")}
    kept = [name for name in KEPT if name in payments.collect_schema()]
    own = payments.filter(time.is_between(part.start, part.end, closed="left")).select(kept)
    table = own.collect(engine="streaming")
    first = len(rows["amount"]) - len(table)
    halves = pool.map(partial(feature_columns, rows, slice(first, None)), HALVES)
    columns = {name: column for half in halves for name, column in half.items()}
    return table.with_columns(pl.Series(name, columns[name]) for name in INPUTS if name not in kept)
