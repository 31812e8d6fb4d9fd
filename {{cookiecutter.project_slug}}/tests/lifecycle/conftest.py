"""A finished project of the plain use case, which is trained in seconds.

What holds for one use case holds for all here; test_contract.py looks at the project's own.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from plain.use_case import TRAINING
from projects import copy_project, open_project, train_again

from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.project import Project
from project_package.training import Training


def write_customers(file: Path) -> None:
    """Write customers of whom those with a high bill leave, and long-standing ones stay."""
    random = np.random.default_rng(0)
    months, bill = random.integers(1, 60, 900), random.uniform(0, 100, 900).round(2)
    left = random.random(900) < 1 / (1 + np.exp(months / 10 - bill / 20))
    plan = random.choice(["basic", "plus"], 900)
    rows = zip(months, bill, plan, left, strict=True)
    file.write_text("\n".join(["months,bill,plan,left", *(",".join(map(str, r)) for r in rows)]))


@pytest.fixture(scope="session")
def training() -> Training:
    return TRAINING


@pytest.fixture(scope="session")
def opened() -> Callable[[Path], Project]:
    return partial(open_project, TRAINING)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plain")
    write_customers(root / "customers.csv")
    promote = "[promote]\nmin_parity_rows = 500\nmax_latency_ms = 500\n"
    (root / "params.toml").write_text(f'name = "plain"\ncsv = "{root}/customers.csv"\n{promote}')
    pipeline(open_project(TRAINING, root))
    return root


@pytest.fixture(scope="session")
def retrained(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = copy_project(trained, tmp_path_factory.mktemp("plain-again") / "project")
    train_again(TRAINING, root)
    return root
