"""The champion of each use case, with the test rows of its data set."""

from typing import Any

import numpy as np
import pytest

from project_package.bundle import Bundle
from project_package.columns import Columns, length, take
from project_package.contract.task import Model, Task
from project_package.contract.training import Training
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION

SAMPLE = 60


@pytest.fixture
def bundle(project: Project) -> Bundle:
    return project.store.load(CHAMPION)[1]


@pytest.fixture
def task(training: Training, bundle: Bundle) -> Task:
    return training.make_task(bundle)


@pytest.fixture
def model(task: Task, bundle: Bundle) -> Any:
    return task.load(bundle)


@pytest.fixture
def rows(project: Project, bundle: Bundle) -> Columns:
    return splits_of(project, bundle).test


@pytest.fixture
def sample(rows: Columns, model: Model) -> Columns:
    """Take test rows in their order, those with the highest and lowest scores among them.

    The score is the first column of predictions that is a number.
    """
    scores = next(v for v in model.predict(rows).values() if v.dtype.kind == "f")
    order = np.argsort(scores.reshape(len(scores), -1)[:, 0], kind="stable")
    spread = order[:: max(1, length(rows) * 4 // (3 * SAMPLE))]
    return take(rows, np.unique(np.concatenate([order[-SAMPLE // 4 :], spread])))
