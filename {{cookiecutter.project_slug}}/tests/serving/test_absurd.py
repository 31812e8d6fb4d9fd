"""Absurd requests: each is a 4xx that names what is wrong with it, and the server goes on."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from project_package.bundle import EXAMPLES
from project_package.lifecycle.project import Project
from project_package.serving.app import create_app
from project_package.state.base import State
from project_package.model_store import BUNDLE

DEEP = 10_000
JSON = {"content-type": "application/json"}


@pytest.fixture
def example(project: Project) -> dict[str, Any]:
    """Give a request that is fine."""
    pairs = json.loads(project.registry.store.fetch(1, BUNDLE)[EXAMPLES])
    request: dict[str, Any] = pairs[0]["request"]
    return request


@pytest.fixture
def client(project: Project, tmp_path: Path) -> Iterator[TestClient]:
    """Serve; an error that is not answered is raised here."""
    state = State(tmp_path / "state.db", project.use_case.api.memory)
    with TestClient(create_app(project.use_case.api, project.registry.store, state)) as opened:
        yield opened
    state.close()


def leaves(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every value in a document that is not made of others."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value[:1])
        for name, one in inner:
            yield from leaves(one, (*place, name))
    else:
        yield place


def put(value: Any, place: tuple[Any, ...], raw: str) -> bytes:
    """Give the body of a request in which raw JSON stands at a place."""
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
def test_an_absurd_value_anywhere_is_no_failure(
    client: TestClient, example: dict[str, Any], raw: str
) -> None:
    refused = 0
    for place in leaves(example):
        answer = client.post("/v1/predict", content=put(example, place, raw), headers=JSON)
        assert answer.status_code in {200, 422}
        if answer.status_code == 422:
            told = answer.json()["detail"][0]
            assert told["loc"][0] == "body"
            assert told["msg"]
            refused += 1
    assert refused


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "application/json"),
        (b"null", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe{}", "application/json"),
        (b'{"instances": "\xc3\x28"}', "application/json"),
        (b'{"\\ud800": 1}', "application/json"),
        (b'{"\\u0000": 1}', "application/json"),
        (b"{}", "application/json"),
        (b"{}" * 2, "application/json"),
        (b"[" * DEEP, "application/json"),
        (b'{"instances": []}', "text/plain"),
        (b'{"instances": []}', "application/x-www-form-urlencoded"),
        (b'{"instances": []}', "application/json; charset=utf-7"),
        (b'{"instances": []}', ""),
        (b'{"instances": []}', "multipart/form-data; boundary=x"),
    ],
)
def test_an_absurd_body_is_refused_by_every_route(
    client: TestClient, content: bytes, kind: str
) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    posts = [path for path, operations in paths.items() if "post" in operations]
    assert len(posts) >= 2
    for path in posts:
        answer = client.post(path, content=content, headers={"content-type": kind})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize(("count", "told"), [(1_000, 100), (20_000, 1)])
def test_of_many_mistakes_some_are_told(client: TestClient, count: int, told: int) -> None:
    answer = client.post("/v1/predict", json={"instances": [{f"odd{n}": 1 for n in range(count)}]})
    assert answer.status_code == 422
    assert len(answer.json()["detail"]) == told


@pytest.mark.parametrize("name", ["\0", "a\0b", "", "x" * 65])
def test_a_name_that_cannot_be_is_refused(
    client: TestClient, example: dict[str, Any], name: str
) -> None:
    for place in leaves(example):
        if str(place[-1]).endswith("_id"):
            answer = client.post(
                "/v1/predict", content=put(example, place, json.dumps(name)), headers=JSON
            )
            assert answer.status_code == 422
            assert answer.json()["detail"][0]["loc"][-1] == place[-1]


def test_ids_that_nobody_knows_are_no_failure(client: TestClient, example: dict[str, Any]) -> None:
    for place in leaves(example):
        if str(place[-1]).endswith("_id"):
            answer = client.post("/v1/predict", content=put(example, place, '"who"'), headers=JSON)
            assert answer.status_code in {200, 422}
