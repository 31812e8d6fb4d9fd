"""Open and copy projects, for the fixtures of finished projects."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, cast
from uuid import uuid4

import numpy as np
import polars as pl
from anyio.from_thread import BlockingPortal
from filelock import FileLock
from plain import use_case
from pydantic import create_model

from project_package.bundle import Bundle
from project_package.columns import Columns
from project_package.contract.task import Task
from project_package.lifecycle.console import Console
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.project import Project
from project_package.lifecycle.train import train
from project_package.lifecycle.workspace import Workspace
from project_package.read_params import read_params
from project_package.settings import Settings

LOCAL = Settings(mlflow_tracking_uri="", optuna_storage="", model_store="store", processes=1)


def open_project(use_case: Any, root: Path) -> Project:
    """Open the project of a folder; MLflow works on the one that was opened last."""
    params = read_params(use_case.PARAMS, root / "params.toml")
    training = use_case.make_training(params, root)
    portal = cast("BlockingPortal", None)  # none of these models is awaited
    return Project(training, params, Workspace(root), LOCAL, Console(quiet=True), portal)


@contextmanager
def made_once(root: Path) -> Iterator[bool]:
    """Yield whether a folder has to be made; other processes wait until it is complete."""
    done = root.with_name(f"{root.name}.done")
    with FileLock(f"{root}.lock"):
        yield not done.exists()
        done.touch()


def copy_project(root: Path, target: Path) -> Path:
    """Copy a project; the absolute paths in MLflow's database become those of the copy.

    MLflow caches the folder of a run by its id, so the runs of the copy get new ids.
    """
    shutil.copytree(root, target)
    database = target / "mlflow.db"
    with closing(sqlite3.connect(database)) as old:
        script = "\n".join(old.iterdump()).replace(str(root), str(target))
    for folder in (target / "mlartifacts").glob("?" * 32):
        renamed = folder.rename(folder.with_name(uuid4().hex))
        script = script.replace(folder.name, renamed.name)
    database.unlink()
    with closing(sqlite3.connect(database)) as new:
        new.executescript(script)
    return target


def run_plain(root: Path, section: str = "") -> Path:
    """Run the pipeline of the plain use case in a new folder, with a section of parameters."""
    customers = use_case.make_customers(np.random.default_rng(0), 900)
    customers.write_csv(root / "customers.csv")
    promote = "[promote]\nmin_parity_rows = 500\nmax_latency_ms = 500\n"
    text = f'name = "plain"\ncsv = "{root}/customers.csv"\n{promote}{section}'
    (root / "params.toml").write_text(text)
    pipeline(open_project(use_case, root))
    return root


def with_age(project: Project) -> Project:
    """Return a project whose code has one more field in requests than when it was trained."""

    def make_task(bundle: Bundle) -> Task:
        task = project.training.make_task(bundle)
        request = create_model("WithAge", __base__=task.request, age=(float, ...))
        return replace(task, request=request)

    return replace(project, training=replace(project.training, make_task=make_task))


def train_again(project: Project, **settings: Any) -> None:
    """Train and evaluate version 2, with a new search, and with other settings."""
    project = replace(project, settings=project.settings.model_copy(update=settings))
    (project.workspace.root / "optuna.db").unlink()
    train(project)
    evaluate(project)


def write_raw_rows(project: Project, keys: Columns, target: Path) -> None:
    """Write raw rows, found by those of the columns that they have."""
    folder = project.workspace.dataset().path
    if project.champion_task().name == "support":
        raw = pl.read_parquet(folder / "questions.parquet", columns=["question"])
    else:
        raw = pl.read_parquet(folder / "rows.parquet")
    if "position" in raw.columns:  # images are in a file of their own
        to_base64 = resolve_name("project_package.inspection.images:to_base64")
        images = np.load(folder / "images.npy")[raw["position"]]
        raw = raw.with_columns(image=pl.Series([*map(to_base64, images)]))
    known = pl.DataFrame({name: keys[name] for name in keys if name in raw.columns})
    own = raw.join(known, on=known.columns, how="semi")
    assert own.n_unique(known.columns) == known.n_unique()
    own.write_csv(target) if target.suffix == ".csv" else own.write_parquet(target)


def read_table(path: Path, expected: Columns) -> pl.DataFrame:
    """Read a file of predictions; in CSV, text can look like a number and a time is text."""
    if path.suffix != ".csv":
        return pl.read_parquet(path)
    texts = {n: pl.String for n, values in expected.items() if values.dtype.kind in "OU"}
    return pl.read_csv(path, schema_overrides=texts, try_parse_dates=True)
