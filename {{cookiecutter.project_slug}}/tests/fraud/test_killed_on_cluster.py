"""A command or the scheduler of its cluster is killed: the next run goes on, with equal results."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from dask_nodes import CLUSTER, DaskNodes, run_nodes
from projects import copy_project

from project_package.errors import Unavailable
from project_package.lifecycle.cluster import connect
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.predict_files import predict_files
from project_package.lifecycle.project import Project
from project_package.lifecycle.train import train

COMMANDS = (("data",), ("train",), ("predict", "days", "answers"))
Opened = Callable[[Path], Project]


def start(root: Path, nodes: DaskNodes, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command on a cluster."""
    settings = {n.upper(): str(v) for n, v in nodes.settings.model_dump(include=CLUSTER).items()}
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-m", "project_package.fraud.entry_point", *arguments],
        cwd=root,
        env=os.environ | settings | path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def wait_for_tasks(nodes: DaskNodes) -> None:
    """Wait until workers have tasks."""
    with connect(nodes.settings) as client:
        while not any(client.processing().values()):
            time.sleep(0.01)


def write_days(project: Project) -> None:
    """Write the payments of four days as files, to be predicted."""
    folder = project.workspace.root / "days"
    folder.mkdir()
    rows = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    day = pl.col("timestamp").dt.date()
    for number, newest in enumerate(rows.select(day).unique().to_series().sort()[-4:]):
        rows.filter(day == newest).write_parquet(folder / f"{number}.parquet")


def results(project: Project) -> list[str]:
    """Return the names of data set and model, which follow from their content, and the answers."""
    digest = project.registry.bundle(project.registry.versions()[-1]).digest
    answers = sorted((project.workspace.root / "answers").iterdir())
    assert not any(path.name.startswith(".") for path in answers)
    tables = [pl.read_parquet(path).write_csv() for path in answers]
    return [project.workspace.dataset().digest, digest, *tables]


@pytest.fixture
def prepared(trained: Path, opened: Opened, tmp_path: Path) -> Project:
    """Return a project with a champion, files to predict, and a new search to make."""
    project = opened(copy_project(trained, tmp_path / "project"))
    (project.workspace.root / "optuna.db").unlink()
    write_days(project)
    return project


def interrupt(root: Path, folder: Path, victim: str, *arguments: str) -> None:
    """Start a command on a new cluster; kill it or the scheduler when workers have tasks."""
    with run_nodes(folder) as nodes:
        command = start(root, nodes, *arguments)
        wait_for_tasks(nodes)
        (command if victim == "command" else nodes.scheduler).kill()
        _, written = command.communicate()
    if victim == "command":
        assert command.returncode == -signal.SIGKILL, written
    else:
        assert command.returncode == Unavailable.exit_code, written
        assert "is lost: run the command again" in written
        assert "Traceback" not in written


@pytest.mark.system
@pytest.mark.parametrize("use_case", ["fraud"], indirect=True)
@pytest.mark.parametrize("victim", ["command", "scheduler"])
def test_next_run_goes_on(
    victim: str,
    prepared: Project,
    opened: Opened,
    dask: DaskNodes,
    tmp_path: Path,
) -> None:
    alone = opened(copy_project(prepared.workspace.root, tmp_path / "alone"))
    make_dataset(alone)
    train(alone)
    predict_files(alone, *(str(alone.workspace.root / name) for name in ("days", "answers")))
    for arguments in COMMANDS:
        (folder := tmp_path / arguments[0]).mkdir()
        interrupt(prepared.workspace.root, folder, victim, *arguments)
        again = start(prepared.workspace.root, dask, *arguments)
        assert (again.communicate()[1], again.returncode) == ("", 0)
    assert results(prepared) == results(alone)
