"""The file of API keys: who may do what, and no key in it."""

import json
import stat
from pathlib import Path

import pytest

from project_package.errors import UserError
from project_package.api_keys import add, digest, read, remove


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def test_a_token_is_told_once_and_only_its_digest_is_kept(path: Path) -> None:
    token = add(path, "shop", ["predict", "labels"])
    (key,) = read(path)
    assert (key.name, key.scopes) == ("shop", ("predict", "labels"))
    assert bytes.fromhex(key.sha256) == digest(token.encode())
    assert token not in path.read_text()


def test_only_its_owner_reads_the_file_and_nothing_lies_beside(path: Path) -> None:
    add(path, "shop", ["predict"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_no_two_tokens_are_equal_and_a_removed_one_is_gone(path: Path) -> None:
    tokens = {add(path, name, ["admin"]) for name in ("old", "new")}
    assert len(tokens) == 2
    assert all(len(token) == 43 for token in tokens)  # 32 bytes
    remove(path, "old")
    assert [key.name for key in read(path)] == ["new"]


@pytest.mark.parametrize(
    ("name", "scopes", "sentence"),
    [
        ("shop", ["predict"], "There is a key shop already"),
        ("new", ["predicts"], "'predicts' is no scope: did you mean \"predict\"?"),
        ("new", [], "The key needs a --scope, one or more: predict, labels, admin."),
        ("a key", ["predict"], "The key's name cannot be"),
    ],
)
def test_a_key_that_cannot_be_is_told(
    path: Path, name: str, scopes: list[str], sentence: str
) -> None:
    add(path, "shop", ["predict"])
    with pytest.raises(UserError) as told:
        add(path, name, scopes)
    assert sentence in str(told.value)
    assert len(read(path)) == 1


def test_no_key_of_that_name_is_told(path: Path) -> None:
    with pytest.raises(UserError, match="There is no key shop: none at all"):
        remove(path, "shop")


@pytest.mark.parametrize("damage", ["", "[{", json.dumps([{"name": "x"}]), '{"a": 1}'])
def test_a_damaged_file_is_told_without_what_is_in_it(path: Path, damage: str) -> None:
    path.write_text(damage)
    with pytest.raises(UserError, match=r"The API keys in .*keys\.json cannot be read") as told:
        read(path)
    assert '"name"' not in str(told.value)
