"""The server over HTTP, for every use case."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from project_package.bundle import EXAMPLES
from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.serving.app import create_app, serve
from project_package.serving.door import Door, Limits
from project_package.serving.keys import Ring
from project_package.serving.routes import MAX_INSTANCES
from project_package.serving.services import Options
from project_package.state.base import State
from project_package.model_store import BUNDLE, CHAMPION, Store

TRAINING = {"duckdb", "matplotlib", "mlflow", "optuna", "pandas", "polars", "pyarrow", "sklearn"}
FRESH_SERVER = """
import json, sys
from importlib import import_module
from pathlib import Path
from fastapi.testclient import TestClient
package, name, address, body = sys.argv[1:]
api = import_module(f"{package}.{name}.api").API
app = import_module(f"{package}.serving.app")
store = import_module(f"{package}.store").Store(address)
state = import_module(f"{package}.state").State(Path("state.db"), api.memory)
with TestClient(app.create_app(api, store, state)) as client:
    answer = client.post("/v1/predict", json=json.loads(body))
print(answer.status_code, *sorted({module.partition(".")[0] for module in sys.modules}))
"""


@pytest.fixture
def pairs(project: Project) -> list[dict[str, Any]]:
    """Give the champion's examples: requests with their answers."""
    found: list[dict[str, Any]] = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])
    return found


@pytest.fixture
def state(project: Project, tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state.db", project.use_case.api.memory)
    yield opened
    opened.close()


@pytest.fixture
def client(project: Project, state: State) -> Iterator[TestClient]:
    app = create_app(project.use_case.api, project.registry.store, state)
    with TestClient(app) as opened:
        yield opened


@pytest.fixture
def empty(project: Project, state: State, tmp_path: Path) -> TestClient:
    """Serve a store without a champion."""
    return TestClient(create_app(project.use_case.api, Store(str(tmp_path)), state))


def test_examples_get_the_recorded_answers(client: TestClient, pairs: list[dict[str, Any]]) -> None:
    body = {"instances": [pair["request"] for pair in pairs]}
    answer = client.post("/v1/predict", json=body)
    predictions = [pair["response"] for pair in pairs]
    assert answer.json() == {"model_version": "1", "predictions": predictions}


def test_every_example_of_the_document_works(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert len(examples) >= 2
    for example in examples.values():
        assert client.post("/v1/predict", json=example["value"]).status_code == 200


def test_a_document_behind_keys_shows_no_rows_of_the_data(
    project: Project, state: State, tmp_path: Path, pairs: list[dict[str, Any]]
) -> None:
    options = Options(door=Door(Ring(tmp_path / "keys.json"), Limits()))
    app = create_app(project.use_case.api, project.registry.store, state, options)
    document = TestClient(app).get("/openapi.json").json()
    content = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert pairs
    assert "examples" not in content["application/json"]


def test_the_page_of_the_document_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) >= 3
    assert all(client.get(path).status_code == 200 for path in loaded)
    assert "://" not in page


def test_a_place_where_nobody_can_listen_is_told(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Nobody can listen on 127.0.0.1, port {port}"):
            serve(project.use_case.api, "127.0.0.1", port)


def test_a_server_says_what_it_serves_and_ends_when_interrupted(
    project: Project, trained: Path
) -> None:
    package, name = Project.__module__.partition(".")[0], project.use_case.api.name
    command = [sys.executable, "-u", "-m", f"{package}.{name}", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=trained, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        url = re.search(r"Version 1 is served on (http://127.0.0.1:\d+);", said)
        assert url
        assert httpx.get(f"{url[1]}/readyz", timeout=30).status_code == 200
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"instances": []}, ["body", "instances"], "at least 1 item"),
        ({"more": 1}, ["body", "more"], "not permitted"),
        ({"instances": [{"odd": 1}]}, ["body", "instances", 0, "odd"], "not permitted"),
        ({"instances": "text"}, ["body", "instances"], "a valid array"),
        ({"instances": [3] * (MAX_INSTANCES + 1)}, ["body", "instances"], "at most 1000 items"),
    ],
)
def test_a_bad_request_is_told_field_and_rule(
    client: TestClient, pairs: list[dict[str, Any]], change: Any, field: list[Any], rule: str
) -> None:
    answer = client.post("/v1/predict", json={"instances": [pairs[0]["request"]], **change})
    found = {tuple(error["loc"]): error for error in answer.json()["detail"]}
    assert answer.status_code == 422
    assert rule in found[tuple(field)]["msg"]
    assert all(error.keys() == {"loc", "msg", "type"} for error in found.values())


def test_a_body_that_is_no_json_is_told_so(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/predict", content=b'{"instances": [', headers=headers)
    assert answer.status_code == 422
    assert "Invalid JSON" in answer.json()["detail"][0]["msg"]


def test_a_server_with_a_champion_is_alive_and_ready(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    found = client.get("/readyz").json()
    well = dict.fromkeys(("refused", "unreachable", "state", "challenger", "log"), "")
    assert found == {"status": "ready", "model_version": "1", **well}


def test_the_model_shows_its_manifest_and_card(project: Project, client: TestClient) -> None:
    shown = client.get("/v1/model").json()
    assert shown["model_version"] == "1"
    assert shown["manifest"]["data"] == project.workspace.dataset().digest
    assert project.use_case.about(project.params).title in shown["card"]


def test_without_a_champion_it_lives_but_says_why_it_is_not_ready(
    empty: TestClient, pairs: list[dict[str, Any]]
) -> None:
    body = {"instances": [pairs[0]["request"]]}
    assert empty.get("/healthz").status_code == 200
    for answer in (
        empty.get("/readyz"),
        empty.get("/v1/model"),
        empty.post("/v1/predict", json=body),
    ):
        assert answer.status_code == 503
        assert "There is no champion" in answer.json()["detail"]


def test_a_damaged_champion_is_not_served(project: Project, state: State, tmp_path: Path) -> None:
    store, damaged = project.registry.store, Store(str(tmp_path))
    pointer = store.pointer(CHAMPION)
    assert pointer is not None
    damaged.publish(1, BUNDLE, {**store.fetch(1, BUNDLE), EXAMPLES: b"[]"})
    damaged.point(CHAMPION, pointer)
    answer = TestClient(create_app(project.use_case.api, damaged, state)).get("/readyz")
    assert answer.status_code == 503
    assert f"{EXAMPLES} of this bundle was changed" in answer.json()["detail"]


def test_a_server_imports_nothing_of_the_training_side(
    project: Project, pairs: list[dict[str, Any]], tmp_path: Path
) -> None:
    package, name = Project.__module__.partition(".")[0], project.use_case.api.name
    body = json.dumps({"instances": [pairs[0]["request"]]})
    arguments = [package, name, project.registry.store.address, body]
    command = [sys.executable, "-c", FRESH_SERVER, *arguments]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    status, *modules = done.stdout.split()
    assert status == "200"
    assert not TRAINING & set(modules)


def test_the_page_tells_every_route_and_every_refusal(client: TestClient) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    paths = client.get("/openapi.json").json()["paths"]
    told = [one["responses"] for operations in paths.values() for one in operations.values()]
    statuses = {status for responses in told for status in responses} - {"200"}
    assert not [word for word in (*paths, *statuses) if word not in page]
