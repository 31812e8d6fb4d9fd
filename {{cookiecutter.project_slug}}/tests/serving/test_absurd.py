"""Absurd values and random requests: each use case answers them with 200 or 422, never with 5xx.

FUZZ_CASES is how many requests Schemathesis sends to each operation: few in every run.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from project_package.bundle import EXAMPLES
from project_package.cli import EntryPoint
from project_package.lifecycle.project import Project
from project_package.model_store import BUNDLE
from project_package.serving.app import create_app
from project_package.settings import Settings

DEEP = 10_000
CASES = os.environ.get("FUZZ_CASES", "30")
# JSON Schema has no rules over several fields, so a body that keeps the schema may be refused. It
# may name a conversation that does not exist (404), or an approval that does not wait (409).
CONFIG = """
generation.database = "none"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
checks.negative_data_rejection.expected-statuses = ["401", "404", "405", "409", "413", "422"]
"""


@pytest.fixture(scope="module")
def example(trained: Path, opened: Callable[[Path], Project]) -> dict[str, Any]:
    """Return a valid request."""
    store = opened(trained).registry.store
    request: dict[str, Any] = json.loads(store.fetch(1, BUNDLE)[EXAMPLES])[0]["request"]
    return request


@pytest.fixture(scope="module")
def client(
    trained: Path,
    opened: Callable[[Path], Project],
    entry: EntryPoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    """Serve; an error that is not answered is raised here."""
    project = opened(trained)
    settings = Settings(model_store=project.registry.store.address, serve_keys="off", log_url="off")
    root = tmp_path_factory.mktemp("absurd")
    app = create_app(project.training.make_task, settings, root, entry.open_events)
    with TestClient(app) as found:
        yield found


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every plain value in a document."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value[:1])
        for name, one in inner:
            yield from leaves(one, (*place, name))
    else:
        yield place


def put(value: Any, place: tuple[Any, ...], raw: str) -> bytes:
    """Return the body of a request that has raw JSON at a place."""
    changed = json.loads(json.dumps(value))
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = "@"
    text = json.dumps({"instances": [changed]}).replace('"@"', raw)
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "raw",
    [
        *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e308", "-1", "9" * 5_000),
        *('"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59-14:00"', '"2999-01-01T00:00:00Z"'),
        *('"-2018-01-01"', '"yesterday"', '"2018-13-01T00:00:00Z"', "-62135596800", "1e18"),
        *('"\\ud800"', '"\\u0000"', '""', '"\udcff"', f'"{"x" * 10_000}"', "null", "true"),
        *("[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[]", "{}", "", "'x'"),
    ],
    ids=lambda raw: raw[:20].encode("ascii", "replace").decode(),
)
def test_an_absurd_value_is_answered_or_refused(
    client: TestClient, example: dict[str, Any], raw: str
) -> None:
    refused = 0
    for place in leaves(example):
        content = put(example, place, raw)
        answer = client.post(
            "/v1/predict", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code in {200, 422}
        if answer.status_code == 422:
            error = answer.json()["detail"][0]
            assert error["loc"][0] == "body"
            assert error["msg"]
            refused += 1
    values: list[Any] = [reduce(getitem, place, example) for place in leaves(example)]
    has_texts_only = all(isinstance(value, str | None) for value in values)
    assert refused or (has_texts_only and raw.startswith('"'))  # a text may be "yesterday"


@pytest.mark.parametrize("name", ["\0", "a\0b", "", "x" * 65])
def test_an_id_that_is_not_valid_is_refused(
    client: TestClient, example: dict[str, Any], name: str
) -> None:
    places = [place for place in leaves(example) if str(place[-1]).endswith("_id")]
    for place in places:
        content = put(example, place, json.dumps(name))
        answer = client.post(
            "/v1/predict", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][-1] == place[-1]
    assert places


def test_random_requests_are_answered_as_documented(
    started: Callable[..., Any], tmp_path: Path
) -> None:
    server = started()
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    key = f"Authorization: {server.headers['Authorization']}"
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(config), "run"]
    options = [f"{server.url}/openapi.json", "--checks", "all", "-n", CASES, "-H", key]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    sent = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert sent
    assert int(sent[1]) == int(sent[2]) >= 200
    assert server.stop() == 0
    lines = [json.loads(line) for line in server.stderr.read_text().splitlines()]
    assert not [line for line in lines if line.get("status", 0) >= 500 or "traceback" in line]


def test_a_list_of_a_request_stops_at_its_first_error(
    client: TestClient, example: dict[str, Any]
) -> None:
    for name in (name for name, value in example.items() if isinstance(value, list)):
        body = {"instances": [example | {name: [{}] * 100}] * 100}
        answer = client.post("/v1/predict", json=body)
        places = {tuple(error["loc"][:5]) for error in answer.json()["detail"]}
        assert answer.status_code == 422
        assert places == {("body", "instances", 0, name, 0)}
