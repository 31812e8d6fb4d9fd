"""A CSV table without time, entities and history is trained, promoted and served."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fastapi.testclient import TestClient
from plain.use_case import TRAINING, make_task

from project_package.contract import length
from project_package.lifecycle.console import Console
from project_package.lifecycle.evaluate import test_rows as rows_of_test
from project_package.lifecycle.inference import run_model
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.predict import predict
from project_package.lifecycle.project import Project
from project_package.lifecycle.workspace import Workspace
from project_package.model_store import CHAMPION
from project_package.params import read
from project_package.serving.app import create_app
from project_package.settings import Settings

FILES = {"linear": "weights.json", "tree": "model.onnx"}
PARAMS = """
name = "plain"
csv = "{csv}"
[train]
candidates = ["{candidate}"]
[promote]
min_parity_rows = 1000
max_latency_ms = 500
"""


def write_customers(path: Path) -> None:
    """Write customers: those with high bills leave, new ones on the basic plan too."""
    generator, count = np.random.default_rng(5), 3000
    months, bills = generator.uniform(0, 60, count), generator.uniform(10, 90, count)
    plans = generator.choice(["basic", "plus"], count)
    risk = bills / 20 - months / 30 + 3 * ((plans == "basic") & (months < 20))
    left = generator.random(count) < 1 / (1 + np.exp(3 - risk))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["months", "bill", "plan", "left"])
        writer.writerows(zip(months.round(1), bills.round(2), plans, left, strict=True))


@pytest.fixture(scope="module", params=FILES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Run the pipeline with one candidate."""
    root: Path = tmp_path_factory.mktemp("plain")
    write_customers(root / "customers.csv")
    text = PARAMS.format(csv=root / "customers.csv", candidate=request.param)
    (root / "params.toml").write_text(text)
    params = read(TRAINING.params, root / "params.toml")
    settings = Settings(mlflow_tracking_uri="", optuna_storage="", model_store="")
    project = Project(TRAINING, params, Workspace(root), settings, Console(quiet=True))
    pipeline(project)
    return project


@pytest.fixture(scope="module")
def client(trained: Project) -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained.workspace.root)
        patch.setenv("SERVE_KEYS", "off")
        patch.setenv("LOG_URL", "off")
        with TestClient(create_app(make_task)) as client:
            yield client


def test_champion_has_the_files_of_its_candidate(trained: Project) -> None:
    version, bundle = trained.store.load(CHAMPION)
    assert version == 1
    assert FILES[bundle.manifest.candidate] in bundle.files
    assert len(set(FILES.values()) & set(bundle.files)) == 1


def test_server_answers_as_the_evaluation_predicted(trained: Project, client: TestClient) -> None:
    bundle = trained.store.load(CHAMPION)[1]
    rows = rows_of_test(trained, bundle)
    expected = run_model(trained.load(bundle), rows)["probability"]
    customers = TRAINING.examples(trained.workspace.root, rows, length(rows))
    body = {"instances": [customer.model_dump() for customer in customers]}
    answer = client.post("/v1/predict", json=body).raise_for_status().json()
    assert [response["probability"] for response in answer["predictions"]] == expected.tolist()


def test_batch_file_has_the_same_predictions(trained: Project) -> None:
    bundle, root = trained.store.load(CHAMPION)[1], trained.workspace.root
    rows = rows_of_test(trained, bundle)
    columns = {name: rows[name].tolist() for name in ("months", "bill", "plan")}
    pl.DataFrame(columns).write_csv(root / "new.csv")
    predict(trained, root / "new.csv", root / "answers.parquet")
    expected = run_model(trained.load(bundle), rows)["probability"]
    found = pl.read_parquet(root / "answers.parquet")["probability"]
    assert found.to_list() == expected.tolist()


@pytest.mark.parametrize("route", ["events", "labels"])
def test_server_has_no_routes_for_events(route: str, client: TestClient) -> None:
    assert client.post(f"/v1/{route}", json={route: []}).status_code == 404


def test_unknown_columns_are_refused(client: TestClient) -> None:
    customer = {"months": 3, "bill": 50, "plan": "basic", "left": True}
    assert client.post("/v1/predict", json={"instances": [customer]}).status_code == 422
