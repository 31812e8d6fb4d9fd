"""The plain use case with a model that is awaited, and that belongs to one event loop."""

import asyncio
from dataclasses import replace
from pathlib import Path

from plain import use_case

from project_package.bundle import Bundle
from project_package.columns import Columns
from project_package.contract.task import Model, Task
from project_package.contract.training import Training


class Waiting:
    """Answers through a queue, which belongs to the event loop that waited for it first."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.queue = asyncio.Queue[Columns]()

    async def predict(self, rows: Columns) -> Columns:
        answer = asyncio.create_task(self.queue.get())
        await asyncio.sleep(0)  # the task waits now
        self.queue.put_nowait(self.model.predict(rows))
        return await answer


def make_task(bundle: Bundle) -> Task:
    task = use_case.make_task(bundle)
    return replace(task, load=lambda bundle: Waiting(use_case.load(bundle)))


PARAMS = use_case.PARAMS


def make_training(_: use_case.PlainParams, __: Path) -> Training:
    return replace(use_case.TRAINING, make_task=make_task)
