"""Features of chunks of weeks are those of the whole table."""

from functools import partial
from pathlib import Path

import polars as pl
from demand.tables import data_set, weekly_table

from project_package.contract.training import Run
from project_package.demand.dataset import features_of_chunk
from project_package.demand.features import LOOKBACK
from project_package.features.chunks import chunks, write_in_chunks


def test_chunks_equal_the_whole_table(run: Run, tmp_path: Path) -> None:
    table = weekly_table(120)
    folder = data_set(tmp_path, table.filter(pl.col("product_id") != "P0"))
    rows = pl.scan_parquet(folder / "rows.parquet")
    first = rows.group_by("product_id").agg(first=pl.col("week").min())
    start, last = table.select(pl.col("week").min(), last=pl.col("week").max()).row(0)
    parts = chunks(start, last + LOOKBACK / 10, LOOKBACK)
    compute = partial(features_of_chunk, rows, first)
    write_in_chunks(compute, parts, folder / "parts.parquet", run, lambda _: None)
    assert len(parts) > 2
    whole = pl.read_parquet(folder / "features.parquet")
    assert pl.read_parquet(folder / "parts.parquet").equals(whole)
