"""The feature step: payments in, a Parquet file with their features out, in chunks of days."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import polars as pl

from ..contract.training import Run
from ..errors import UserError
from ..features.chunks import ROWS_AT_ONCE, Chunk, chunks, write_in_chunks
from .features import CARD, LOOKBACK, RAW, TERMINAL, feature_columns

time = pl.col("timestamp")


def build_feature_table(
    payments: pl.LazyFrame,
    target: Path,
    progress: Callable[[float], None] = lambda _: None,
    rows_at_once: int = ROWS_AT_ONCE,
    run: Run = map,
) -> None:
    """Write payments with their float32 features to the Parquet file `target`, in order of time.

    `payments` is sorted by timestamp; for tasks in other processes it is a scan of a file, which is
    small when it is sent. `progress` gets the share of chunks that is done. A chunk has at least as
    many days as windows look back on: shorter ones would read most rows again and again.

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
    parts = chunks(start, start + length, step)
    write_in_chunks(partial(with_features, payments), parts, target, run, progress)


def with_features(payments: pl.LazyFrame, chunk: Chunk) -> pl.DataFrame:
    """Read the payments of a chunk and add their features."""
    own = payments.filter(time.is_between(chunk.start, chunk.end, closed="left"))
    count = own.select(pl.len()).collect(engine="streaming").item()
    reach = time.is_between(chunk.start - LOOKBACK, chunk.end, closed="left")
    with_past = payments.filter(reach).select(
        time.dt.epoch("ms"),
        pl.col(CARD, TERMINAL).cast(pl.Categorical).to_physical(),
        *(name for name in RAW if name not in ("timestamp", "is_fraud")),
        pl.col("is_fraud").cast(pl.Float64),
    )
    rows = {column.name: column.to_numpy() for column in with_past.collect(engine="streaming")}
    features = feature_columns(rows, slice(len(rows["timestamp"]) - count, None))
    table = own.collect(engine="streaming")  # late: the features need the memory before
    return table.with_columns(pl.Series(name, values) for name, values in features.items())
