"""Rules about rows, counted over batches."""

from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from project_package.data.find_violations import find_violations
from project_package.errors import UserError


def test_counts_add_up_over_batches(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, -1, 1, -2, None, -3, -4]}).write_parquet(tmp_path / "rows.parquet")
    schema = pa.DataFrameSchema(
        {"x": pa.Column(pl.Int64, pa.Check.ge(0, error="must be positive"))}
    )
    found = {rule.rule: rule for rule in find_violations(tmp_path / "rows.parquet", schema, 3)}
    assert found["must be positive"].rows == 4
    assert found["must be positive"].examples == [{"x": -1}, {"x": -2}, {"x": -3}]
    assert found["must not be missing"].rows == 1


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("y", [1, 2], "column 'x' not in dataframe"),
        ("x", ["1", "2"], "expected column 'x' to have type Int64, got String"),
    ],
)
def test_column_that_does_not_fit_is_named(
    tmp_path: Path, name: str, values: list[object], reason: str
) -> None:
    pl.DataFrame({name: values}).write_parquet(tmp_path / "rows.parquet")
    schema = pa.DataFrameSchema({"x": pa.Column(pl.Int64, pa.Check.ge(0))})
    with pytest.raises(UserError) as refusal:
        find_violations(tmp_path / "rows.parquet", schema)
    assert str(refusal.value) == f"The rows do not fit: {reason}. Correct what loads them."
