"""A data set of simulated payments, and its split."""

from pathlib import Path

import pytest
from fraud.datasets import loaded, params

from project_package.contract.training import Splits
from project_package.fraud.split import split


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return loaded(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def splits(folder: Path) -> Splits:
    return split(params(), folder)
