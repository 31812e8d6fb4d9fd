"""The feature step: payments in, a Parquet file with their features out, chunk by chunk.

A chunk of days is read together with the days that its windows look back on, so its features are
those of the whole table to the bit, and memory does not grow with the length of the table.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from ..errors import UserError
from .features import CARD, LOOKBACK, RAW, TERMINAL, feature_columns

ROWS_AT_ONCE = 2_000_000
"""Rows of a chunk. The process of `ml data` needs 1.1 GiB for 1.8 million rows in one chunk, and
2.6 GiB for 17.7 million, whose chunks have 44 days."""
ROW_GROUP = 2**17
time = pl.col("timestamp")


def build_feature_table(
    payments: pl.LazyFrame,
    target: Path,
    progress: Callable[[float], None] = lambda _: None,
    rows_at_once: int = ROWS_AT_ONCE,
) -> None:
    """Write payments with their float32 features to the Parquet file `target`, in order of time.

    `payments` is sorted by timestamp; `progress` gets the share of days that is done. The target is
    replaced once the new file is complete. A chunk has at least as many days as windows look back
    on: shorter ones would read most rows again and again.

    Raises:
        UserError: there are no payments.
        ValueError: the payments are not in order of time.
    """
    day = time.dt.truncate("1d")
    summary = payments.select(first=day.min(), last=day.max(), count=pl.len())
    start, last, count = summary.collect(engine="streaming").row(0)
    if not count:
        raise UserError("There are no payments: run the data stage first.")
    length = last + timedelta(days=1) - start
    step = max(LOOKBACK, timedelta(days=rows_at_once * length.days // count))
    schema = _chunk(payments.head(0), start, start).to_arrow().schema
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        # A dictionary of values that hardly repeat is slow to write and no smaller.
        with pq.ParquetWriter(
            unfinished, schema, compression="lz4", use_dictionary=[CARD, TERMINAL]
        ) as writer:
            for chunk in range(ceil(length / step)):
                first = start + chunk * step
                for rows in _chunk(payments, first, first + step).iter_slices(ROW_GROUP):
                    writer.write_table(rows.to_arrow())
                progress(min((chunk + 1) * step / length, 1.0))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _chunk(payments: pl.LazyFrame, start: datetime, end: datetime) -> pl.DataFrame:
    """Read the payments of [start, end) and add their features."""
    chunk = payments.filter(time.is_between(start, end, closed="left"))
    count = chunk.select(pl.len()).collect(engine="streaming").item()
    with_past = payments.filter(time.is_between(start - LOOKBACK, end, closed="left")).select(
        time.dt.epoch("ms"),
        pl.col(CARD, TERMINAL).cast(pl.Categorical).to_physical(),
        *(name for name in RAW if name not in ("timestamp", "is_fraud")),
        pl.col("is_fraud").cast(pl.Float64),
    )
    rows = {column.name: column.to_numpy() for column in with_past.collect(engine="streaming")}
    features = feature_columns(rows, slice(len(rows["timestamp"]) - count, None))
    table = chunk.collect(engine="streaming")  # late: the features need the memory before
    return table.with_columns(pl.Series(name, values) for name, values in features.items())
