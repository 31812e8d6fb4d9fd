"""Tables built by SQL from Parquet files, and the errors when that fails."""

from pathlib import Path

import polars as pl
import pytest

from project_package.data.completejourney import Script, build, package_data
from project_package.errors import UserError

SQL = """
CREATE TEMP TABLE sums AS
SELECT household, sum(spent) * getvariable('factor') AS spent
FROM purchases
SEMI JOIN households USING (household)
GROUP BY ALL;
"""
LARGE = "CREATE TEMP TABLE sums AS SELECT list(range) AS household FROM range(100_000_000);"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    folder = tmp_path / "problem"
    folder.mkdir()
    (folder / "sums.sql").write_text(SQL)
    (folder / "large.sql").write_text(LARGE)
    monkeypatch.syspath_prepend(tmp_path)
    tables = ("purchases", "households")
    return Script("problem", "sums.sql", tables, {"factor": 2}, "sums", "household DESC")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    purchases = {"household": [1, 2, 2, 3], "spent": [1.0, 2.0, 3.0, 9.0]}
    pl.DataFrame(purchases).write_parquet(folder / "purchases.parquet")
    pl.DataFrame({"household": [1, 2]}).write_parquet(folder / "households.parquet")
    return folder


def test_sql_sees_tables_and_variables(script: Script, source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target" / "rows.parquet"
    target.parent.mkdir()
    build(script, source, target, 512)
    assert pl.read_parquet(target).to_dict(as_series=False) == {
        "household": [2, 1],
        "spent": [10, 2],
    }
    assert list(target.parent.iterdir()) == [target]


def test_too_little_memory_names_the_parameter(
    script: Script, source: Path, tmp_path: Path
) -> None:
    large = Script(script.folder, "large.sql", (), {}, script.result, script.order)
    with pytest.raises(UserError, match=r"^The sums table does not fit in the 64 MiB that data\."):
        build(large, source, tmp_path / "rows.parquet", 64)
    assert not list(tmp_path.glob(".sums-*"))


def test_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(UserError, match="no_such_package is not installed: run `make install`"):
        package_data("no_such_package")
