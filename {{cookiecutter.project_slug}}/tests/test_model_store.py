"""The model store: files that stay, and a pointer that moves at once."""

import threading
from pathlib import Path

import pytest

from project_package.bundle import Bundle, Manifest, pack
from project_package.errors import UserError
from project_package.model_store import Pointer, Store

FILES = {"model.onnx": b"graph", "manifest.json": b"{}"}


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return Store(str(tmp_path / "store") if request.param == "folder" else "memory://")


def pointer(version: int) -> Pointer:
    return Pointer(version=version, digest=f"{version}" * 64, previous=tuple(range(version)))


def test_what_was_published_is_fetched(store: Store) -> None:
    store.publish(1, "bundle", FILES)
    store.publish(1, "evidence", {"card.md": b"card"})
    store.publish(12, "bundle", {"model.onnx": b"other"})
    assert store.fetch(1, "bundle") == FILES
    assert store.fetch(1, "evidence") == {"card.md": b"card"}


def test_publishing_again_is_harmless(store: Store) -> None:
    for _ in range(2):
        store.publish(1, "bundle", FILES)
    assert store.fetch(1, "bundle") == FILES


def test_a_bundle_that_was_published_is_never_overwritten(store: Store) -> None:
    store.publish(1, "bundle", FILES)
    with pytest.raises(UserError, match=r"has another versions/1/bundle/model\.onnx"):
        store.publish(1, "bundle", {"model.onnx": b"other"})
    assert store.fetch(1, "bundle") == FILES
    for card in (b"first", b"second"):
        store.publish(1, "evidence", {"card.md": card})
    assert store.fetch(1, "evidence") == {"card.md": b"second"}


def test_what_an_alias_points_to_is_loaded_and_verified(store: Store) -> None:
    manifest = Manifest(
        name="m", candidate="c", settings={}, created="", commit="", data="", test=""
    )
    bundle = Bundle(b"graph", {}, manifest)
    store.publish(3, "bundle", pack(bundle))
    store.point("champion", Pointer(version=3, digest=bundle.digest))
    version, loaded = store.load("champion")
    assert (version, loaded.graph) == (3, b"graph")
    store.point("champion", Pointer(version=3, digest="another"))
    with pytest.raises(UserError, match="names another graph than version 3"):
        store.load("champion")
    with pytest.raises(UserError, match="There is no challenger in"):
        store.load("challenger")


def test_a_version_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(UserError, match="has no bundle of version 3"):
        store.fetch(3, "bundle")


def test_an_alias_that_was_never_set_points_nowhere(store: Store) -> None:
    assert store.pointer("champion") is None


def test_an_alias_points_where_it_was_set_last(store: Store) -> None:
    for version in (1, 2):
        store.point("champion", pointer(version))
    assert store.pointer("champion") == pointer(2)
    assert store.pointer("challenger") is None


def test_an_alias_that_was_taken_away_points_nowhere(store: Store) -> None:
    store.point("challenger", pointer(1))
    for _ in range(2):
        store.unpoint("challenger")
        assert store.pointer("challenger") is None


def test_readers_of_a_moving_pointer_see_the_old_or_the_new(tmp_path: Path) -> None:
    store, seen, done = Store(str(tmp_path)), set(), threading.Event()
    versions = [pointer(version) for version in range(1, 9)]
    store.point("champion", versions[0])

    def watch() -> None:
        reader = Store(str(tmp_path))
        while not done.is_set():
            seen.add(reader.pointer("champion"))

    readers = [threading.Thread(target=watch) for _ in range(3)]
    for thread in readers:
        thread.start()
    for version in versions * 25:
        store.point("champion", version)
    done.set()
    for thread in readers:
        thread.join()
    assert len(seen) > 1
    assert seen <= set(versions)


def test_a_folder_may_have_a_blank_and_is_made_when_missing(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "my models" / "store"))
    store.publish(1, "bundle", FILES)
    found = tmp_path / "my models" / "store" / "versions" / "1" / "bundle" / "model.onnx"
    assert found.read_bytes() == b"graph"


@pytest.mark.parametrize("address", ["nowhere://models", "s3://", "http:/x://"])
def test_an_address_that_is_none_is_refused_in_words(address: str) -> None:
    with pytest.raises(UserError, match=f"The model store {address} cannot be used"):
        Store(address)


def test_a_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    (tmp_path / "versions").write_text("in the way")
    with pytest.raises(UserError, match=f"The model store {tmp_path} cannot be used"):
        store.publish(1, "bundle", FILES)


def test_a_pointer_that_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "champion.json").write_text("{")
    with pytest.raises(UserError, match=r"champion\.json"):
        Store(str(tmp_path)).pointer("champion")
