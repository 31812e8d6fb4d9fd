"""Health routes report what is served and what does not work."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from project_package.serving.health import Ready, health_router

READY = Ready(model_version="3", refused="Version 4 fails.", state="10.0.0.7", log="10.0.0.8")


def client_of(hide: bool) -> TestClient:
    app = FastAPI()
    app.include_router(health_router(lambda: READY, hide))
    return TestClient(app)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_answers_get_and_head(path: str) -> None:
    client = client_of(hide=False)
    assert client.head(path).status_code == client.get(path).status_code == 200


def test_reports_the_version_and_what_does_not_work() -> None:
    assert client_of(hide=False).get("/readyz").json() == READY.model_dump()


def test_hides_reasons_that_have_addresses() -> None:
    hidden = dict.fromkeys(("refused", "state", "log"), "see the server's log.")
    assert client_of(hide=True).get("/readyz").json() == READY.model_dump() | hidden
