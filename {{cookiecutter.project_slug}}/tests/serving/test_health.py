"""Health routes report what is served and what does not work."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from project_package.serving.health import Ready, health_router

READY = Ready(
    model_version="3",
    refused="Version 4 gives another answer to its example 1.",
    state="redis://10.0.0.7:6379 refuses connections.",
    log="cannot connect to 10.0.0.8",
)


def client_of(hide: bool, ready: Ready = READY) -> TestClient:
    app = FastAPI()
    app.include_router(health_router(lambda: ready, hide))
    return TestClient(app)


def test_reports_that_the_process_runs() -> None:
    assert client_of(hide=True).get("/healthz").json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_answers_head_with_the_status_of_get(path: str) -> None:
    client = client_of(hide=False)
    assert client.head(path).status_code == client.get(path).status_code == 200


def test_reports_the_version_and_each_part_that_does_not_work() -> None:
    found = client_of(hide=False).get("/readyz").json()
    assert (found["status"], found["model_version"], found["unreachable"]) == ("ready", "3", "")
    assert found["refused"] == READY.refused
    assert found["state"] == READY.state


def test_hides_addresses_where_keys_are_on() -> None:
    found = client_of(hide=True).get("/readyz")
    assert "10.0.0" not in found.text
    assert (found.json()["state"], found.json()["log"]) == ("see the server's log.",) * 2
    assert found.json()["refused"] == READY.refused
