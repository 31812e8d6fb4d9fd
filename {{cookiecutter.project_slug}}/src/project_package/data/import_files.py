"""Copy several files of rows into one Parquet file of a fixed layout."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from .import_rows import Layout, SourceParams, import_rows


def import_files(params: SourceParams, layout: Layout, files: Sequence[Path], target: Path) -> None:
    """Write the different rows of all files to the Parquet file `target`, in the layout's order.

    An optional column that a file does not have is missing in its rows.

    Raises:
        UserError: as `import_rows`.
    """
    with TemporaryDirectory(dir=target.parent) as folder:
        copies = [Path(folder) / f"{number}.parquet" for number in range(len(files))]
        for file, copy in zip(files, copies, strict=True):
            import_rows(params.with_source(file), layout, copy)
        rows = pl.concat(map(pl.scan_parquet, copies), how="diagonal")
        rows.unique().sort(layout.order).sink_parquet(target)
