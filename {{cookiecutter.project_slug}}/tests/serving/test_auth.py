"""Keys of requests: which are admitted, and how a running server learns of changes."""

from pathlib import Path

import pytest
from fastapi import FastAPI, Security
from fastapi.testclient import TestClient

from project_package.api_keys import SCOPES, add_key, remove_key
from project_package.errors import UserError
from project_package.serving.auth import KeyStore, open_keys, require
from project_package.serving.prometheus import Metrics
from project_package.settings import Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def tokens(path: Path) -> dict[str, str]:
    """A key per scope, named like it."""
    return {scope: add_key(path, scope, [scope]) for scope in SCOPES}


def client_of(keys: KeyStore | None) -> TestClient:
    app = FastAPI()
    app.state.keys = keys
    app.state.metrics = Metrics()

    @app.post("/labels", dependencies=[Security(require("labels"))])
    async def labels() -> str:
        return "set"

    return TestClient(app)


def test_admits_a_key_in_either_header(path: Path, tokens: dict[str, str]) -> None:
    client = client_of(KeyStore(path, seconds=60))
    token = tokens["labels"]
    for headers in (
        {"authorization": f"bearer {token}"},
        {"X-API-Key": token},
        {"X-API-Key": token, "Authorization": "Bearer of-a-proxy"},
        {"X-API-Key": "junk", "Authorization": f"Bearer {token}"},
    ):
        answer = client.post("/labels", headers=headers)
        assert (answer.status_code, answer.json()) == (200, "set"), headers


def test_refuses_a_key_without_the_scope(path: Path, tokens: dict[str, str]) -> None:
    client = client_of(KeyStore(path, seconds=60))
    for scope in ("predict", "admin"):
        answer = client.post("/labels", headers={"X-API-Key": tokens[scope]})
        assert (answer.status_code, "scope labels" in answer.text) == (403, True)


@pytest.mark.parametrize("value", ["", "wrong-key", "Bearer", "Bearer wrong\xe9", "Basic abcdef"])
def test_refuses_a_request_without_a_known_key(path: Path, value: str) -> None:
    client = client_of(KeyStore(path, seconds=60))
    for header in ("Authorization", "X-API-Key"):
        answer = client.post("/labels", headers={header.encode(): value.encode("latin-1")})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "ml key NAME --scope labels" in answer.json()["detail"]
        assert value not in answer.text or len(value) < 7


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearerx", ""])
def test_refuses_a_known_key_with_another_scheme(
    path: Path, tokens: dict[str, str], scheme: str
) -> None:
    client = client_of(KeyStore(path, seconds=60))
    headers = {"Authorization": f"{scheme} {tokens['labels']}"}
    assert client.post("/labels", headers=headers).status_code == 401


def test_admits_everybody_when_keys_are_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = open_keys(Settings(serve_keys="off"), tmp_path)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert client_of(keys).post("/labels").json() == "set"


@pytest.mark.usefixtures("tokens")
def test_warns_when_there_is_no_key(
    tmp_path: Path, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    open_keys(Settings(serve_keys=str(path)), tmp_path)
    assert not caplog.records
    open_keys(Settings(serve_keys="none.json"), tmp_path)
    assert "create one with `ml key" in caplog.text


def test_keys_are_rotated_while_the_server_runs(path: Path) -> None:
    keys = KeyStore(path, seconds=0)
    later = KeyStore(path, seconds=60)
    old = add_key(path, "old", ["predict"])
    assert keys.find_key(old)
    assert later.find_key(old) is None
    new = add_key(path, "new", ["predict"])
    remove_key(path, "old")
    assert keys.find_key(old) is None
    assert keys.find_key(new)


def test_a_damaged_file_leaves_the_keys(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    token = add_key(path, "shop", ["predict"])
    keys = KeyStore(path, seconds=0)
    path.write_text("[", encoding="utf-8")
    assert keys.find_key(token)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    with pytest.raises(UserError, match="cannot be read"):
        KeyStore(path, seconds=0)
