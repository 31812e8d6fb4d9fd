"""Compute features chunk by chunk of time, each in a task, into one Parquet file.

The function of a chunk reads as many earlier rows as its windows look back on, so its features are
those of the whole table to the bit, and memory does not grow with the length of the table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias
from uuid import uuid4

import polars as pl
import pyarrow.parquet as pq

from ..contract.training import Progress, Run

ROWS_AT_ONCE = 2_000_000
"""Rows of a chunk. The process of `ml data` needs 1.1 GiB for 1.8 million rows in one chunk, and
2.6 GiB for 17.7 million, whose chunks have 44 days."""
ROW_GROUP = 2**17


@dataclass(frozen=True)
class Chunk:
    """The rows of some time, [start, end)."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        """Return the name of the task."""
        return f"features of {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


Compute: TypeAlias = Callable[[Chunk], pl.DataFrame]
"""Read the rows of a chunk and add their features."""


def chunks(start: datetime, end: datetime, step: timedelta) -> list[Chunk]:
    """Divide the time [start, end) into chunks."""
    starts = [start + number * step for number in range(ceil((end - start) / step))]
    return [Chunk(first, first + step) for first in starts]


def write_in_chunks(
    compute: Compute, parts: Sequence[Chunk], target: Path, run: Run, progress: Progress
) -> None:
    """Write the rows of all chunks, in order; the target is replaced by the complete file.

    `compute` is sent to other processes, so it must be small.
    """
    # After an error, other processes may still write while the folder is removed.
    temporary = partial(TemporaryDirectory, ignore_cleanup_errors=True)
    with temporary(prefix=f".{target.name}-", dir=target.parent) as scratch:
        complete = Path(scratch) / target.name
        writer = None
        paths = run(partial(write_chunk, compute, Path(scratch)), parts)
        for number, path in enumerate(paths, 1):
            table = pl.read_ipc(path)
            path.unlink()
            if writer is None:
                schema = table.to_arrow().schema
                # A dictionary of values that hardly repeat is slow to write and no smaller.
                text = [name for name, kind in table.schema.items() if kind == pl.String]
                writer = pq.ParquetWriter(complete, schema, compression="lz4", use_dictionary=text)
            for rows in table.iter_slices(ROW_GROUP):
                writer.write_table(rows.to_arrow())
            progress(number / len(parts))
        if writer is not None:
            writer.close()
        complete.replace(target)


def write_chunk(compute: Compute, folder: Path, chunk: Chunk) -> Path:
    """Write the rows of a chunk with their features; return the path of the file."""
    path = folder / f"{chunk.start:%Y%m%d}.arrow"
    unfinished = path.with_suffix(f".{uuid4().hex}")
    compute(chunk).write_ipc(unfinished)
    unfinished.replace(path)
    return path
