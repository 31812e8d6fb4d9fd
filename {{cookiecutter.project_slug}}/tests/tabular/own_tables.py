"""Own tables: written as CSV, with the schema that is proposed and the rows that are read."""

import csv
from collections.abc import Iterable, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from project_package.contract.training import Training
from project_package.lifecycle.workspace import replace_text
from project_package.read_params import read_params
from project_package.tabular.params import TabularParams
from project_package.tabular.schema_file import SchemaOptions, propose
from project_package.tabular.training import make_training

COUNT = 160
SCHEMA = "schema.toml"
PARAMS = "params.toml"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(10, 3, COUNT).round(3)
PLAN = RANDOM.choice(["plus", "basic"], COUNT)
Y = (X + 3 * (PLAN == "plus") + RANDOM.normal(0, 2, COUNT) > 11).astype(int)
TABLE: Mapping[str, Iterable[Any]] = {"x": X, "plan": PLAN, "y": Y}


def repeated(*values: Any) -> list[Any]:
    return list(islice(cycle(values), COUNT))


def write(path: Path, columns: Mapping[str, Iterable[Any]], mark: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=mark)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def proposed(root: Path, columns: Mapping[str, Iterable[Any]], **wish: Any) -> str:
    """Write a table and its schema; return what people read."""
    write(root / "own.csv", columns, mark=";")
    (root / PARAMS).write_text('name = "awkward"\n', encoding="utf-8")
    asked = {"source": str(root / "own.csv"), "target": "y", "roles": {}, "classes": {}}
    return " ".join(propose(root, SchemaOptions(**{**asked, **wish}), False, replace_text))


def loaded(root: Path) -> tuple[Training, TabularParams]:
    """Read the rows of a project; return its training and parameters."""
    params = read_params(TabularParams, root / PARAMS)
    training = make_training(params, root)
    training.load_data(params, root, lambda _: None)
    return training, params
