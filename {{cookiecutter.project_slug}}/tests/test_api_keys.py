"""The file of API keys: who may do what; no key can be recovered from it."""

import hashlib
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project_package.api_keys import add_key, read_keys, remove_key
from project_package.errors import UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_stores_only_the_digest_of_a_token(path: Path) -> None:
    token = add_key(path, "shop", ["predict", "labels"])
    (key,) = read_keys(path)
    assert (key.name, key.scopes) == ("shop", ("predict", "labels"))
    assert key.sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert token not in path.read_text(encoding="utf-8")


def test_only_the_owner_may_read_the_files(path: Path) -> None:
    add_key(path, "shop", ["predict"])
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {"keys.json": 0o600, "keys.json.lock": 0o600}


def test_removes_one_of_two_keys(path: Path) -> None:
    tokens = {add_key(path, name, ["admin"]) for name in ("old", "new")}
    assert len(tokens) == 2
    assert all(len(token) == 43 for token in tokens)  # 32 bytes
    remove_key(path, "old")
    assert [key.name for key in read_keys(path)] == ["new"]


def test_parallel_writers_lose_no_key_and_revive_none(path: Path) -> None:
    for number in range(10):
        revoked = f"revoked-{number}"
        add_key(path, revoked, ["predict"])
        with ThreadPoolExecutor(9) as threads:
            removal = threads.submit(remove_key, path, revoked)
            names = [f"new-{number}-{other}" for other in range(8)]
            list(threads.map(lambda name: add_key(path, name, ["predict"]), names))
            removal.result()
        assert {key.name for key in read_keys(path)} >= set(names)
    assert not [key.name for key in read_keys(path) if key.name.startswith("revoked")]


@pytest.mark.parametrize(
    ("name", "scopes", "sentence"),
    [
        ("shop", ["predict"], "There is a key shop already"),
        ("new", ["predicts"], '--scope: "predicts" is not a scope; did you mean "predict"?'),
        ("new", [], "The key needs a --scope, one or more: predict, labels, admin."),
        ("a key", ["predict"], "'a key' cannot be the name of a key"),
    ],
)
def test_refuses_a_key_that_is_not_valid(
    path: Path, name: str, scopes: list[str], sentence: str
) -> None:
    add_key(path, "shop", ["predict"])
    with pytest.raises(UserError) as error:
        add_key(path, name, scopes)
    assert sentence in str(error.value)
    assert len(read_keys(path)) == 1


def test_refuses_to_remove_an_unknown_key(path: Path) -> None:
    with pytest.raises(UserError, match=r"^There is no key shop\. The keys of .*: none\.$"):
        remove_key(path, "shop")
    add_key(path, "shop-2027", ["predict"])
    with pytest.raises(UserError, match=r": shop-2027\.$"):
        remove_key(path, "shop")


@pytest.mark.parametrize("damage", ["", "[{", json.dumps([{"name": "x"}]), '{"a": 1}'])
def test_reports_a_damaged_file_without_its_content(path: Path, damage: str) -> None:
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(UserError, match=r"The API keys in .*keys\.json cannot be read") as error:
        read_keys(path)
    assert '"name"' not in str(error.value)
