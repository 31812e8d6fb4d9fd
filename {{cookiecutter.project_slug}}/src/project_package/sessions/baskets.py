"""The baskets of all households in an Arrow file, which is mapped into memory, not read.

baskets.arrow   for each household, by name: household_id, and timestamp and items of its baskets

Names of items are in the file once, and baskets have their codes. A row to train on or to score
refers to baskets of the file, in some 600 bytes: they become tuples of names when they are used.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..columns import TIMESTAMP
from ..data.import_rows import open_duckdb, within_limit
from ..errors import UserError
from .features import HOUSEHOLD, ITEM, Items
from .lazy_sequence import LazySequence

FILE = "baskets.arrow"


class Bought(NamedTuple):
    """The baskets of one household, in order of time."""

    household: str
    times: NDArray[np.int64]
    """(baskets,), milliseconds."""
    baskets: Sequence[Items]


def write_baskets(
    purchases: Path, target: Path, memory_limit_mib: int, rows_at_once: int = 2**19
) -> None:
    """Write the baskets of a Parquet file of purchases without duplicates.

    DuckDB sorts them under the limit, and spills to the folder of the target.

    Raises:
        UserError: the limit is too small.
        OSError: the disk is full.
    """
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        ordered = Path(scratch) / "sorted.parquet"
        with (
            within_limit("The purchases cannot be sorted", memory_limit_mib),
            open_duckdb(Path(scratch), memory_limit_mib) as duck,
        ):
            rows = duck.read_parquet(str(purchases))
            items = rows.select(ITEM).distinct().order(ITEM).pl()[ITEM]
            rows.order(f"{HOUSEHOLD}, {TIMESTAMP}, {ITEM}").write_parquet(str(ordered))
        parts = whole_households(ordered, rows_at_once)
        tables = (by_household(part, pl.Enum(items)) for part in parts)
        first = next(tables)
        with pa.ipc.new_file(str(target), first.schema) as file:
            for table in chain([first], tables):
                file.write_table(table)


def whole_households(ordered: Path, rows_at_once: int) -> Iterator[pl.DataFrame]:
    """Yield the rows of a file, sorted by household, in parts that have all rows of a household."""
    rest = pl.scan_parquet(ordered).head(0).collect()
    with pq.ParquetFile(ordered, pre_buffer=False) as file:
        for batch in file.iter_batches(rows_at_once):
            table = pl.concat([rest, pl.DataFrame(batch)])
            is_last = table[HOUSEHOLD] == table[HOUSEHOLD][-1]  # the next batch may have more of it
            yield table.filter(~is_last)
            rest = table.filter(is_last)
    yield rest


def by_household(purchases: pl.DataFrame, items: pl.Enum) -> pa.Table:
    """Return a row for each household, from purchases in order of household and time."""
    times = pl.col(TIMESTAMP).cast(pl.Datetime("ms"))  # DuckDB has microseconds
    coded = purchases.with_columns(times, pl.col(ITEM).cast(items))
    baskets = coded.group_by(HOUSEHOLD, TIMESTAMP, maintain_order=True).agg(ITEM)
    households = baskets.group_by(HOUSEHOLD, maintain_order=True).agg(TIMESTAMP, ITEM)
    # One chunk is one batch of the file, whose arrays are used where they are.
    return households.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def read_baskets(path: Path) -> Iterator[Bought]:
    """Yield the baskets of each household, which stay in the file.

    Raises:
        UserError: the data set is that of an earlier version of the project.
    """
    if not path.exists():
        raise UserError(f"{path} is missing: run `ml data` again.")
    file = pa.ipc.open_file(pa.memory_map(str(path)))
    names = np.empty(0, object)
    for number in range(file.num_record_batches):
        households, times, baskets = file.get_batch(number).columns
        codes = baskets.values.values
        if not number:  # all batches have the same names
            names = np.array(codes.dictionary.to_pylist(), object)
        offsets = baskets.values.offsets.to_numpy()
        read = partial(read_items, names, offsets, codes.indices.to_numpy())
        moments = times.values.cast(pa.int64()).to_numpy()
        ends = pairwise(times.offsets.to_pylist())
        for name, (start, end) in zip(households.to_pylist(), ends, strict=True):
            yield Bought(name, moments[start:end], LazySequence(read, start, end))


def read_items(
    names: NDArray[np.object_],
    offsets: NDArray[np.int64],
    codes: NDArray[np.integer],
    start: int,
    end: int,
) -> list[Items]:
    """Return the items of the baskets at [start, end); those of basket i start at offsets[i]."""
    bounds = offsets[start : end + 1]
    items = names[codes[bounds[0] : bounds[-1]]].tolist()
    ends = (bounds - bounds[0]).tolist()
    return [tuple(items[first:last]) for first, last in pairwise(ends)]
