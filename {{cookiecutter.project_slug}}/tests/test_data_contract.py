"""What every use case must keep of its data: the same rows each time, and none that are erased."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from project_package.lifecycle.erase import erase
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.project import Project


def test_same_parameters_give_the_same_data(
    project: Project, opened: Callable[[Path], Project], tmp_path: Path
) -> None:
    for path in project.workspace.root.glob("*.toml"):
        shutil.copy(path, tmp_path)
    assert make_dataset(opened(tmp_path)).digest == project.workspace.dataset().digest


def test_new_data_leave_out_what_was_erased(
    trained: Path, clone: Callable[[Path], Project], tmp_path: Path
) -> None:
    project = clone(trained)
    kind = project.champion_task().entity
    path = project.workspace.dataset().path / "rows.parquet"
    if not path.exists():
        pytest.skip(f"no row of this data set is about a {kind}")
    rows = pl.read_parquet(path)
    erase(project, rows[kind][0])
    folder = make_dataset(project).path
    project.training.load_data(project.params, tmp_path, lambda _: None)
    left = pl.read_parquet(tmp_path / "rows.parquet").filter(pl.col(kind) != rows[kind][0])
    left.write_parquet(tmp_path / "rows.parquet")
    project.training.compute_features(project.params, tmp_path, lambda _: None, map)
    assert len(left) < len(rows)
    for path in folder.glob("*.parquet"):
        assert pl.read_parquet(path).equals(pl.read_parquet(tmp_path / path.name))
