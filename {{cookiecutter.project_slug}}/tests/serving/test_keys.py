"""Keys of requests: found by their digest, and other ones as soon as the file has changed."""

import logging
from pathlib import Path

import pytest

from project_package.api_keys import add, remove
from project_package.serving.keys import Ring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def found(ring: Ring, token: str, header: str = "authorization") -> str:
    """Give the name of the key that the ring finds, or nothing."""
    given = f"Bearer {token}" if header == "authorization" else token
    key = ring.find({header.encode(): given.encode()})
    return key.name if key else ""


def test_a_key_is_found_in_both_headers(path: Path) -> None:
    tokens = {name: add(path, name, ["predict"]) for name in ("shop", "app")}
    ring = Ring(path)
    for name, token in tokens.items():
        assert found(ring, token) == found(ring, token, "x-api-key") == name
        assert not found(ring, token[:-1])
    assert ring.find({}) is None
    assert ring.find({b"authorization": b"Basic abc"}) is None


def test_keys_are_rotated_while_the_server_runs(path: Path) -> None:
    ring = Ring(path)
    old = add(path, "old", ["predict"])
    assert not found(ring, old)
    ring.check()
    assert found(ring, old) == "old"
    new = add(path, "new", ["predict"])
    remove(path, "old")
    ring.check()
    assert (found(ring, old), found(ring, new)) == ("", "new")


def test_a_damaged_file_keeps_the_keys_and_is_told_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token = add(path, "shop", ["predict"])
    ring = Ring(path)
    path.write_text("[")
    with caplog.at_level(logging.WARNING):
        ring.check()
        ring.check()
    assert found(ring, token) == "shop"
    assert [record.message for record in caplog.records] == ["keys stay as they were"]


def test_no_file_means_no_keys(path: Path) -> None:
    token = add(path, "shop", ["predict"])
    ring = Ring(path)
    path.unlink()
    ring.check()
    assert not found(ring, token)
