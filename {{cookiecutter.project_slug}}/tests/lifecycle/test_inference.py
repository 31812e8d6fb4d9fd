"""Requests are answered by models that wait for others, too."""

from dataclasses import replace

import numpy as np
from plain.use_case import Customer

from project_package.columns import Columns
from project_package.contract.task import predict_requests
from project_package.lifecycle.project import Project


class Waiting:
    """An asynchronous model."""

    async def predict(self, rows: Columns) -> Columns:
        return {"probability": rows["months"] / 100}


def test_answers_are_json_objects_as_in_the_server(project: Project) -> None:
    months = {"months": np.array([10, np.nan])}
    task = replace(project.champion_task(), to_rows=lambda _: months)
    customers = [Customer(months=1, bill=1, plan="basic")] * 2
    assert predict_requests(task, Waiting(), customers) == [
        {"probability": 0.1},
        {"probability": None},
    ]
