"""The application as a whole: its documentation, its start and its end."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient
from multiplying import TIMES, Published

from project_package.api_keys import add_key
from project_package.bundle import EXAMPLES
from project_package.cli import EntryPoint
from project_package.contract.task import Served
from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.model_store import BUNDLE
from project_package.serving.app import create_app
from project_package.serving.serve import serve
from project_package.settings import Settings

TRAINING = {"duckdb", "matplotlib", "mlflow", "optuna", "pandas", "polars", "pyarrow", "sklearn"}
FRESH_SERVER = """
import json, sys
from importlib import import_module
from fastapi.testclient import TestClient
with TestClient(import_module(sys.argv[1]).create_app()) as client:
    answer = client.post("/v1/predict", json={"instances": json.loads(sys.argv[2])})
print(answer.status_code, *sorted({module.partition(".")[0] for module in sys.modules}))
"""


@pytest.fixture
def examples(project: Project) -> list[dict[str, Any]]:
    """Return the examples of the trained champion."""
    found: list[dict[str, Any]] = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])
    return found


@pytest.fixture
def client(project: Project, entry: EntryPoint, tmp_path: Path) -> Iterator[TestClient]:
    """Serve the trained project."""
    settings = Settings(model_store=project.registry.store.address, serve_keys="off")
    make_task = project.training.make_task
    app = create_app(make_task, settings, tmp_path, entry.open_events)
    with TestClient(app) as opened:
        yield opened


def test_the_documentation_has_examples_that_work(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    shown = content["application/json"]["examples"]
    assert len(shown) >= 2
    for example in shown.values():
        assert client.post("/v1/predict", json=example["value"]).status_code == 200


def test_a_server_imports_nothing_of_the_training_side(
    project: Project, examples: list[dict[str, Any]], tmp_path: Path
) -> None:
    entry = project.training.make_task.__module__.replace(".task", ".entry_point")
    code = [sys.executable, "-c", FRESH_SERVER, entry, json.dumps([examples[0]["request"]])]
    settings = {"MODEL_STORE": project.registry.store.address, "SERVE_KEYS": "off"}
    done = subprocess.run(
        code, cwd=tmp_path, env=os.environ | settings, check=True, capture_output=True, text=True
    )
    status, *modules = done.stdout.split()
    assert status == "200"
    assert not TRAINING & set(modules)


def test_serve_prints_version_and_address_and_exits_with_0(started: Callable[..., Any]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        server = started()
        assert httpx2.get(f"{server.url}/readyz").json()["model_version"] == "1"
        server.process.send_signal(number)
        assert server.process.wait(60) == 0
        assert "Traceback" not in server.stderr.read_text()


def test_a_request_head_has_a_size_limit(started: Callable[..., Any]) -> None:
    address = started().url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        with suppress(OSError):  # the server has closed the connection
            for number in range(10_000):
                connection.sendall(b"x-%d: %s\r\n" % (number, b"a" * 1_000))
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_the_documentation_loads_nothing_from_other_hosts(times: Published) -> None:
    with TestClient(times.app()) as client:
        page = client.get("/docs").text
        links = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(links) >= 3
        assert all(client.get(link).status_code == 200 for link in links)
        assert "://" not in page


def test_the_documentation_has_an_introduction(times: Published) -> None:
    with TestClient(times.app(), root_path="/prefix") as client:
        info = client.get("/openapi.json").json()["info"]
    assert times.task.request.__name__ in info["description"]
    assert "choose *Authorize* first" in info["description"]


def test_examples_are_not_shown_without_a_key(times: Published) -> None:
    for keys, is_shown in (("off", True), ("keys.json", False)):
        document = TestClient(times.app(serve_keys=keys)).get("/openapi.json").json()
        content = document["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
        assert ("examples" in content["application/json"]) == is_shown


def test_every_reference_of_the_document_is_defined(times: Published) -> None:
    text = TestClient(times.app()).get("/openapi.json").text
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    document = json.loads(text)
    assert names == document["components"]["schemas"].keys() - {"HTTPValidationError"}
    assert "$defs" not in text


def test_the_document_asks_for_a_key_only_where_one_is_needed(times: Published) -> None:
    for keys, schemes in (("off", []), ("keys.json", ["bearer", "key"])):
        document = TestClient(times.app(serve_keys=keys)).get("/openapi.json").json()
        assert [*document["components"].get("securitySchemes", ())] == schemes
        assert "security" not in document["paths"]["/healthz"]["get"]
        for path, method in (("/v1/predict", "post"), ("/v1/model", "get")):
            needed = document["paths"][path][method].get("security", [])
            assert needed == [{name: []} for name in schemes]


def test_docs_name_every_route_and_every_refusal(client: TestClient) -> None:
    page = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    paths = client.get("/openapi.json").json()["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    statuses = {status for operation in operations for status in operation["responses"]} - {"200"}
    assert not [word for word in (*paths, *statuses) if word not in page]


def halved(served: Callable[[], Served]) -> APIRouter:
    """Make a route that asks the model itself."""
    router = APIRouter()

    @router.get("/half")
    async def half(x: float) -> list[str]:
        version = served()
        rows = {"x": np.array([x / 2]), "who": np.array(["ann"], object)}
        predictions = version.model.predict(rows)
        assert isinstance(predictions, Mapping)
        return [*version.observe(rows, predictions).values()]

    return router


def test_routes_of_the_task_need_a_key(times: Published) -> None:
    times.task = replace(TIMES, routers={"admin": halved})
    key = add_key(times.root / "keys.json", "all", ["admin"])
    client = TestClient(times.app(serve_keys="keys.json"))
    assert client.get("/half?x=3").status_code == 401
    assert client.get("/half?x=3", headers={"X-API-Key": key}).status_code == 200
    operation = client.get("/openapi.json").json()["paths"]["/half"]["get"]
    assert operation["security"] == [{"bearer": []}, {"key": []}]
    assert operation["tags"] == ["model"]
    assert {"401", "403", "503"} < operation["responses"].keys()


def test_routes_of_the_task_are_counted_and_logged(times: Published) -> None:
    times.publish(2)
    times.task = replace(TIMES, routers={"admin": halved})
    with TestClient(times.app(log_url="")) as client:
        assert client.get("/half?x=3").json() == ['{"y":3.0}']
        assert 'predictions_total{version="2"} 1.0' in client.get("/metrics").text
    with closing(sqlite3.connect(times.root / "predictions.db")) as log:
        rows = log.execute("SELECT version, role, answer FROM predictions").fetchall()
    assert rows == [("2", "champion", '{"y":3.0}')]


def test_there_is_no_route_for_events_without_history(times: Published) -> None:
    with TestClient(times.app()) as client:
        assert client.post("/v1/events", json={}).status_code == 404
        assert client.post("/v1/labels", json={}).status_code == 404


def test_allows_the_origins_of_the_settings(times: Published) -> None:
    for origins, allowed in (("", None), ("https://shop.example", "https://shop.example")):
        with TestClient(times.app(serve_cors_origins=origins)) as client:
            answer = client.get("/healthz", headers={"Origin": "https://shop.example"})
            assert answer.headers.get("access-control-allow-origin") == allowed


def test_does_not_start_without_a_whole_champion(times: Published) -> None:
    (times.root / "store" / "versions" / "1" / "bundle" / "model.json").write_text("{}")
    with pytest.raises(UserError, match="was changed or damaged"):
        times.app()
    times.store.delete_alias("champion")
    with pytest.raises(UserError, match="There is no champion"):
        times.app()


def test_does_not_start_where_another_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1, port {port}"):
            serve("no_module:that_loads_a_model", "127.0.0.1", port, workers=1, quiet=True)


def test_serve_prints_once_that_there_is_no_champion(use_case: str, tmp_path: Path) -> None:
    package = Project.__module__.partition(".")[0]
    entry = f"{package}.{use_case}.entry_point"
    command = [sys.executable, "-m", entry, "serve", "--port", "0"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    store = tmp_path / "store"
    assert ended.stderr == f"There is no champion in {store}: run `ml pipeline` first.\n"
    assert (ended.returncode, ended.stdout) == (2, "")
