"""Rows to predict in one file and in two, whose rows look back on each other."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from project_package.columns import Columns, concatenate

Read = Callable[[Path, Path], Columns]
WriteHistory = Callable[[Sequence[Path], Path, Path], None]


def read_in_one_and_two(
    read: Read, write_history: WriteHistory, table: pl.DataFrame, folder: Path, scratch: Path
) -> tuple[Columns, Columns]:
    """Return the rows of a table, of one file and of two; every other row is in the second."""
    table.write_parquet(one := scratch / "all.parquet")
    files = [scratch / "a.parquet", scratch / "b.csv"]
    table[::2].write_parquet(files[0])
    table[1::2].write_csv(files[1])
    (history := scratch / "history").mkdir()
    write_history(files, folder, history)
    return read(one, folder), concatenate([read(file, history) for file in files])
