"""Copy several files of rows, each into a Parquet file of a fixed layout."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from .import_rows import Layout, SourceParams, import_rows


def import_files(
    params: SourceParams, layout: Layout, files: Sequence[Path], folder: Path
) -> pl.LazyFrame:
    """Return the rows of all files, without an order; copies of the files are in a new folder.

    An optional column that a file does not have is missing in its rows.

    Raises:
        UserError: as `import_rows`.
    """
    folder.mkdir()
    copies = [folder / f"{number}.parquet" for number in range(len(files))]
    for file, copy in zip(files, copies, strict=True):
        import_rows(params.with_source(file), layout, copy)
    return pl.concat(map(pl.scan_parquet, copies), how="diagonal")
