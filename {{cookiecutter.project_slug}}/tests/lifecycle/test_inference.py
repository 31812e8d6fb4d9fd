"""Requests are answered by models that wait for others, too."""

from dataclasses import replace

import numpy as np
import pytest
from plain.use_case import Customer

from project_package.contract import AsyncModel, Columns, Task
from project_package.lifecycle.inference import answer, run_model
from project_package.lifecycle.project import Project


class Waiting:
    """An asynchronous model."""

    async def predict(self, rows: Columns) -> Columns:
        return {"probability": rows["months"] / 100}


@pytest.fixture
def task(project: Project) -> Task:
    return project.champion_task()


def test_asynchronous_model_is_awaited() -> None:
    model: AsyncModel = Waiting()
    assert run_model(model, {"months": np.array([50.0])})["probability"].tolist() == [0.5]


def test_answers_are_json_objects(task: Task) -> None:
    customers = [Customer(months=months, bill=1, plan="basic") for months in (10, 20)]
    assert answer(task, Waiting(), customers) == [{"probability": 0.1}, {"probability": 0.2}]


def test_undefined_number_is_null_as_in_the_server(task: Task) -> None:
    undefined = replace(task, to_rows=lambda _: {"months": np.array([np.nan])})
    assert answer(undefined, Waiting(), [Customer(months=1, bill=1, plan="plus")]) == [
        {"probability": None}
    ]
