"""Models that wait for others work in commands and in MLflow as they do in the server."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from machine import run_python
from plain import awaited, use_case
from plain.use_case import Customer
from projects import run_plain

from project_package.bundle import EXAMPLES
from project_package.cli import EntryPoint
from project_package.columns import Columns
from project_package.contract.call_async_model import to_model
from project_package.contract.task import predict_requests
from project_package.errors import ModelError
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.predict import predict
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.train import train
from project_package.model_store import CHAMPION

MLFLOW_MODEL = """
import json, sys
import mlflow
from concurrent.futures import ThreadPoolExecutor
model, instances = mlflow.pyfunc.load_model(sys.argv[1]), json.loads(sys.argv[2])
with ThreadPoolExecutor(4) as threads:
    answers = list(threads.map(model.predict, [instances] * 8))
json.dump([model.predict(instances), *answers], sys.stdout)
"""


class Meeting:
    """Answers only when two calls wait at the same time."""

    def __init__(self) -> None:
        self.barrier = asyncio.Barrier(2)

    async def predict(self, rows: Columns) -> Columns:
        await self.barrier.wait()
        return rows


class Waiting:
    """Reports the event loop of each call."""

    async def predict(self, rows: Columns) -> Columns:
        return {"loop": np.array([id(asyncio.get_running_loop())]), **rows}


@pytest.fixture
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


def test_answers_are_json_objects_as_in_the_server(
    project: Project, portal: BlockingPortal
) -> None:
    class Probability:
        async def predict(self, rows: Columns) -> Columns:
            return {"probability": rows["months"] / 100}

    months = {"months": np.array([10, np.nan])}
    task = replace(project.champion_task(), to_rows=lambda _: months)
    customers = [Customer(months=1, bill=1, plan="basic")] * 2
    assert predict_requests(task, to_model(Probability(), portal), customers) == [
        {"probability": 0.1},
        {"probability": None},
    ]


def test_models_of_a_project_share_one_event_loop(portal: BlockingPortal) -> None:
    models = [to_model(Waiting(), portal) for _ in range(2)]
    assert len({int(model.predict({})["loop"][0]) for model in models * 2}) == 1


def test_calls_of_several_threads_wait_together(portal: BlockingPortal) -> None:
    model = to_model(Meeting(), portal)
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(model.predict, [{}, {}])) == [{}, {}]


def test_thread_with_a_running_loop_can_predict(portal: BlockingPortal) -> None:
    async def notebook() -> Columns:
        return to_model(Waiting(), portal).predict({})

    assert asyncio.run(notebook()).keys() == {"loop"}


def test_service_that_does_not_answer_is_an_error_of_the_model(portal: BlockingPortal) -> None:
    class Unanswered:
        async def predict(self, rows: Columns) -> Columns:
            async with asyncio.timeout(0.001):
                await asyncio.sleep(60)
            return rows

    with pytest.raises(ModelError, match=r"service does not answer: TimeoutError\(\)"):
        to_model(Unanswered(), portal).predict({})


def test_model_that_is_not_awaited_is_itself(portal: BlockingPortal) -> None:
    model = use_case.Linear(0.0, [1.0])
    assert to_model(model, portal) is model


def test_each_command_and_the_mlflow_model_await(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = run_plain(tmp_path)  # whose champion is version 1
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it when it connects
    entry = EntryPoint("plain", task="awaited", training="awaited")
    for stage in (train, evaluate, promote):
        with entry.open_project(quiet=True) as project:
            stage(project)
    with entry.open_project(quiet=True) as project:
        Path("new.csv").write_text("months,bill,plan\n1,9.5,plus\n2,80,basic", encoding="utf-8")
        assert predict(project, Path("new.csv"), Path("answers.csv")) == 2
        model = f"models:/{project.params.name}@{CHAMPION}"
        project.tracking  # noqa: B018  connects MLflow to this project
        path = mlflow.artifacts.download_artifacts(model, dst_path=str(tmp_path / "model"))
        version, bundle, _ = project.store.load(CHAMPION)
    assert version == 2
    assert awaited.make_task(bundle).name == "plain"
    pairs = json.loads(bundle.files[EXAMPLES])
    done = run_python(MLFLOW_MODEL, path, json.dumps([pair["request"] for pair in pairs]))
    assert json.loads(done.stdout) == [[pair["response"] for pair in pairs]] * 9, done.stderr
