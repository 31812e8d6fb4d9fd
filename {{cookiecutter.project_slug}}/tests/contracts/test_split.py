"""The clauses of an owner are in training or in test, drawn at random."""

from pathlib import Path

import polars as pl
import pytest

from project_package.contracts.dataset import ROWS
from project_package.contracts.params import ContractsParams
from project_package.contracts.split import split
from project_package.errors import UserError

PARAMS = ContractsParams.model_validate({"name": "tiny", "split": {"folds": 2}})


def write(folder: Path, owners: int) -> None:
    """Write 400 clauses of some owners."""
    rows = range(400)
    columns = {
        "text": [f"clause {row}" for row in rows],
        "owner": [f"O{row % owners}" for row in rows],
        "type": ["a" if row // owners % 4 else "b" for row in rows],
    }
    pl.DataFrame(columns).write_parquet(folder / ROWS)


def test_an_owner_is_on_one_side(tmp_path: Path) -> None:
    write(tmp_path, 40)
    splits = split(PARAMS, tmp_path)
    sides = [(splits.train, splits.test), *((fold.train, fold.valid) for fold in splits.folds)]
    assert len(sides) == 3
    for train, test in sides:
        assert not {*train["owner"]} & {*test["owner"]}
    assert len(splits.test["text"]) == 100  # a quarter of the owners, of equal size here
    assert len(splits.train["text"]) + len(splits.test["text"]) == 400


def test_split_depends_on_the_seed_only(tmp_path: Path) -> None:
    write(tmp_path, 40)
    again = [split(PARAMS.model_copy(update={"seed": seed}), tmp_path) for seed in (1, 1, 2)]
    first, second, third = (one.test["text"].tolist() for one in again)
    assert first == second != third


def test_type_of_one_owner_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, 40)
    rows = pl.read_parquet(tmp_path / ROWS)
    rare = pl.when(pl.col("owner") == "O1").then(pl.lit("rare")).otherwise(pl.col("type"))
    rows.with_columns(type=rare).write_parquet(tmp_path / ROWS)
    with pytest.raises(UserError, match="Too few owners have clauses of rare"):
        split(PARAMS, tmp_path)


def test_the_largest_owner_is_not_always_in_the_test(tmp_path: Path) -> None:
    write(tmp_path, 40)
    rows = pl.read_parquet(tmp_path / ROWS)
    large = pl.when(pl.col("owner").str.ends_with("1")).then(pl.lit("O1")).otherwise("owner")
    rows.with_columns(owner=large).write_parquet(tmp_path / ROWS)
    seeds = [PARAMS.model_copy(update={"seed": seed}) for seed in range(12)]
    found = ["O1" in split(params, tmp_path).test["owner"] for params in seeds]
    assert 0 < sum(found) < 8


def test_too_few_owners_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with pytest.raises(UserError, match="3 owners are too few to split them in 4"):
        split(PARAMS, tmp_path)
