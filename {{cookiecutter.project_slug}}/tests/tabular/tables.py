"""Problems and rows of small tables, for the tests of the use case."""

from pathlib import Path
from typing import Any

import numpy as np

from project_package.bundle import Bundle, Contents, Manifest, make_bundle
from project_package.columns import Columns
from project_package.data.table_schema import Column, Schema
from project_package.tabular.date_parts import DAY
from project_package.tabular.params import TabularParams
from project_package.tabular.problem import Problem, find_problem

COLUMNS = {
    "customer": Column(role="id", type="text"),
    "firm": Column(role="group", type="text"),
    "month": Column(role="time", type="date"),
    "class": Column(role="feature", type="category", categories=("plus", "basic"), missing=0.1),
    "paid": Column(role="feature", type="number", min=0, max=90, missing=0.1),
    "家": Column(role="feature", type="integer", min=1, max=9),
    "active": Column(role="feature", type="boolean", missing=0.1),
    "since": Column(role="feature", type="date", missing=0.1),
    "note": Column(role="ignored", type="text"),
    "left": Column(role="target", type="boolean"),
    "plan": Column(role="outcome", type="category", categories=("a", "b", "c")),
    "spent": Column(role="outcome", type="number"),
}
SCHEMA = Schema(columns=COLUMNS)


def bundle_of(contents: Contents) -> Bundle:
    """Return a bundle of files, none of them large."""
    texts = dict.fromkeys(("name", "candidate", "created", "commit", "data", "test"), "")
    return make_bundle(contents, Manifest.model_validate({**texts, "settings": {}}), Path)


def params(**changes: Any) -> TabularParams:
    """Return parameters with some changes."""
    return TabularParams.model_validate({"name": "tiny", **changes})


def problem(target: str = "left", without: tuple[str, ...] = ()) -> Problem:
    """Return the problem of a target, in the table without some columns."""
    columns = {name: column for name, column in COLUMNS.items() if name not in without}
    return find_problem(Schema(columns=columns), target)


def rows(count: int = 400, seed: int = 0) -> Columns:
    """Return encoded rows with all three targets, which follow from two features and chance."""
    random = np.random.default_rng(seed)
    paid = random.uniform(0, 90, count)
    home = random.integers(1, 10, count).astype(np.float64)
    paid[::11] = np.nan
    strength = np.nan_to_num(paid, nan=40) / 30 + home / 3 + random.normal(0, 0.5, count)
    values: dict[str, Any] = {
        "paid": paid,
        "家": home,
        "active": random.choice([0.0, 1.0, np.nan], count),
        "since": random.uniform(1, 900, count),
        "class": random.choice(np.array(["plus", "basic", ""], object), count),
        "customer": np.array([f"C{number}" for number in range(count)], object),
        "firm": np.array([f"F{number // 4}" for number in range(count)], object),
        "month": (np.arange(count) // 40 * 30 * DAY).astype(np.float64),
    }
    targets = {
        "left": (strength > 3.2).astype(np.int64),
        "plan": np.digitize(strength, [2.5, 3.8]),
        "spent": strength * 100,
    }
    return {**values, **targets}


def error(rows: Columns, target: str, predictions: Columns) -> float:
    """Return the mean absolute error of a number, or the share of wrong classes."""
    if target == "spent":
        return float(np.mean(np.abs(rows[target] - predictions["prediction"])))
    return float(np.mean(rows[target] != predictions["prediction"]))
