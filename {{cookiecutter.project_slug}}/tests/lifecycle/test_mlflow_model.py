"""The registered MLflow model answers raw instances in a new process, as the server does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd  # type: ignore[import-untyped]
import pytest
from pydantic import BaseModel

from project_package.bundle import EXAMPLES
from project_package.lifecycle.mlflow_model import to_instances
from project_package.lifecycle.project import Project
from project_package.lifecycle.tracking import signature
from project_package.model_store import CHAMPION

FRESH_PROCESS = """
import json, sys
import mlflow, pandas
from mlflow.pyfunc.scoring_server import invocations
model, instances = mlflow.pyfunc.load_model(sys.argv[1]), json.load(sys.stdin)
body = json.dumps({"inputs": instances})
served = json.loads(invocations(body, "application/json", model, None).response)["predictions"]
answers = [model.predict(instances), model.predict(pandas.DataFrame(instances)), served]
json.dump([answers, sys.modules["project_package"].__file__], sys.stdout)
"""


def test_model_answers_as_the_server_in_a_new_process(project: Project, tmp_path: Path) -> None:
    project.tracking  # noqa: B018  connects MLflow to this project
    path = mlflow.artifacts.download_artifacts(
        f"models:/{project.params.name}@{CHAMPION}", dst_path=str(tmp_path)
    )
    pairs = json.loads(project.store.load(CHAMPION)[1].files[EXAMPLES])
    instances = [p["request"] for p in pairs]
    expected = [p["response"] for p in pairs]
    tests = os.pathsep.join(p for p in sys.path if Path(p).name == "tests")  # has the use case
    done = subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS, path],
        input=json.dumps(instances),
        capture_output=True,
        check=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": tests},
    )
    answers, package = json.loads(done.stdout)
    assert answers == [expected] * 3
    assert Path(package).is_relative_to(path)
    assert not list(Path(path).rglob("*.pkl"))


def test_model_has_signature_and_example(project: Project) -> None:
    source = project.registry.client.get_model_version(project.params.name, "1").source
    info: Any = mlflow.models.get_model_info(str(source))
    inputs = {column.name: column.required for column in info.signature.inputs}
    assert inputs == {"months": True, "bill": True, "plan": True}
    assert info.signature.outputs.input_names() == ["probability"]
    assert info.saved_input_example_info["artifact_path"] == "input_example.json"


def test_signature_without_examples_has_no_outputs() -> None:
    class Request(BaseModel):
        name: str
        history: list[int] | None = None

    found = signature(Request, [])
    assert [c.required for c in found.inputs] == [True, False]
    assert [str(kind) for kind in found.inputs.input_types()] == ["DataType.string", "Any"]
    assert found.outputs is None


ROWS = [{"a": 1, "b": {"c": "x"}, "d": [1, 2]}, {"a": 2, "b": {"c": None}, "d": []}]


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        pd.DataFrame(ROWS),
        {name: [row[name] for row in ROWS] for name in ROWS[0]},
        {name: pd.Series([row[name] for row in ROWS]).to_numpy() for name in ROWS[0]},
    ],
)
def test_instances_come_in_rows_or_in_columns(data: Any) -> None:
    assert to_instances(data) == ROWS


def test_missing_value_of_a_frame_is_left_out() -> None:
    rows: list[Any] = [{"a": 1.5, "history": [1]}, {"a": 2.5}]
    assert to_instances(pd.DataFrame(rows)) == rows
