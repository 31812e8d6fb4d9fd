"""Features in chunks: a killed process changes nothing, and a failure keeps the old table."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from features.days import PARTS, START, kill_once, refuse

from project_package.contract.training import Run
from project_package.features.chunks import write_in_chunks


def test_killed_process_changes_nothing(run: Run, tmp_path: Path) -> None:
    (folder := tmp_path / "data").mkdir()
    done: list[float] = []
    compute = partial(kill_once, tmp_path / "mark")
    write_in_chunks(compute, PARTS, folder / "days.parquet", run, done.append)
    found = pl.read_parquet(folder / "days.parquet")["day"].to_list()
    assert found == [START + timedelta(days=n) for n in range(7 * len(PARTS))]
    assert done == [0.2, 0.4, 0.6, 0.8, 1]
    assert [path.name for path in folder.iterdir()] == ["days.parquet"]
    assert (tmp_path / "mark").exists()


def test_failure_keeps_the_old_table(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "days.parquet"
    target.write_text("old")
    with pytest.raises(ValueError, match="no") as raised:
        write_in_chunks(refuse, PARTS, target, run, lambda _: None)
    assert raised.value.__notes__[0].endswith("features of 2026-01-29 to 2026-02-05.")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {target.name: "old"}
