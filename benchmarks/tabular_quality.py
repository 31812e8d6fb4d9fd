"""Quality of models that commands alone make from a table: writes tabular_quality.md beside it.

A table is written as a CSV file into a fresh folder, where `ml schema` and `ml pipeline` run as a
user would run them. Rivals are fitted on the same training rows and scored on the same test rows,
which are found by a column with the number of the row.
"""

import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import report
from numpy.typing import NDArray
from rich.progress import track
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from project_package.lifecycle.registry import EVALUATION
from project_package.lifecycle.scoring import Evaluation, Score, number
from project_package.lifecycle.workspace import Workspace
from project_package.params import read
from project_package.tabular.training import TRAINING

HERE = Path(__file__).resolve().parent
PARAMS = HERE.parent / "{{cookiecutter.project_slug}}" / "params.tabular.toml"
PACKAGES = ("scikit-learn", "palmerpenguins", "pydataset", "statsmodels", "vega-datasets")
LIBRARIES = ("numpy", "pandas", "polars", "duckdb", "xgboost-cpu", *PACKAGES)
SEEDS = (1, 2, 3)
FILE, ROW = "table.csv", "row"
RIVAL, ABSOLUTE = "by hand", "by hand, absolute error"


@dataclass(frozen=True)
class Table:
    """A table, what a user says about it, and what a data scientist does with it."""

    name: str
    read: Callable[[], pl.DataFrame]
    target: str
    holds: str
    origin: str
    """The package, and what it says about the data."""
    flags: tuple[str, ...] = ()
    """Of `ml schema`."""
    unused: tuple[str, ...] = ()
    """Columns that the rival leaves out: names of rows, free text, what is known only later."""
    date: str = ""
    """A column that the rival reads as a date, and turns into a number."""


@dataclass(frozen=True)
class Run:
    """What one seed gave."""

    score: Score
    rivals: Mapping[str, float]
    candidate: str
    refused: tuple[str, ...]
    """Rules of the gate."""
    seconds: float


def folder_of(package: str) -> Path:
    """Return the folder of a package, which is not imported."""
    found = find_spec(package)
    if found is None or found.origin is None:
        sys.exit(f"The package {package} is missing: run `make bench`.")
    return Path(found.origin).parent


def packaged(package: str, path: str) -> pl.DataFrame:
    """Read a CSV file of a package as text."""
    return pl.read_csv(folder_of(package) / path, infer_schema=False)


def of_r(path: str) -> pl.DataFrame:
    """Read a table of an R package as text; its first column has no name."""
    with tarfile.open(folder_of("pydataset") / "resources.tar.gz") as archive:
        file = archive.extractfile(f"resources/rdata/csv/{path}.csv")
        return pl.read_csv(file.read() if file else b"", infer_schema=False)


def of_sklearn(load: Callable[..., Any], **options: bool) -> pl.DataFrame:
    """Read a table of scikit-learn, with the names of the classes."""
    found = load(as_frame=True, **options)
    frame = pl.DataFrame(dict(found.frame))
    if "target_names" in found:
        frame = frame.with_columns(target=found.target_names[found.target])
    return frame
