"""The model store: files that never change, and pointers that move atomically."""

import socket
import threading
from pathlib import Path

import pytest
from multiplying import MANIFEST

from project_package.bundle import Bundle, digest, pack, sha256
from project_package.errors import UserError
from project_package.model_store import Pointer, Store
from project_package.object_stores import StoreUnreachable

FILES = {"weights.json": b"{}", "manifest.json": b"{}"}


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    address = str(tmp_path / "my store") if request.param == "folder" else "memory://"
    return Store(address, tmp_path / "downloads")


def pointer(version: int) -> Pointer:
    return Pointer(version=version, digest=f"{version}" * 64, previous=tuple(range(version)))


def test_published_files_are_fetched(store: Store) -> None:
    store.publish(1, "bundle", FILES)
    store.publish(1, "evidence", {"card.md": b"card"})
    store.publish(12, "bundle", {"weights.json": b"other"})
    assert store.fetch(1, "bundle") == FILES
    assert store.fetch(1, "evidence") == {"card.md": b"card"}


def test_published_bundle_never_changes(store: Store) -> None:
    for _ in range(2):
        store.publish(1, "bundle", FILES)
    with pytest.raises(UserError, match=r"has another versions/1/bundle/weights\.json"):
        store.publish(1, "bundle", {"weights.json": b"other"})
    assert store.fetch(1, "bundle") == FILES


def test_large_file_is_stored_once(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights" * 1000)
    path = store.add_large(file)
    assert path == store.add_large(file) == store.locate(path.name)
    assert path.read_bytes() == file.read_bytes()
    assert path.name == sha256(file.read_bytes())
    with pytest.raises(UserError, match=f"has no large/{'0' * 64}: train again"):
        store.locate("0" * 64)


def test_damaged_large_file_is_refused(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(b"weights")
    path = store.add_large(file)
    path.write_bytes(b"weight5")
    damaged = "was changed or damaged: delete it, and try again"
    with pytest.raises(UserError, match=damaged):
        store.locate(path.name)
    with pytest.raises(UserError, match=damaged):
        store.add_large(file)
    assert [*path.parent.iterdir()] == [path]


def test_evidence_is_replaced(store: Store) -> None:
    for card in (b"first", b"second"):
        store.publish(1, "evidence", {"card.md": card})
    assert store.fetch(1, "evidence") == {"card.md": b"second"}


def test_files_of_an_alias_are_loaded_and_verified(store: Store) -> None:
    bundle = Bundle({"weights.json": b"{}"}, MANIFEST)
    evidence = {"card.md": b"card"}
    store.publish(3, "evidence", evidence)
    store.publish(3, "bundle", pack(bundle))
    known = {"digest": bundle.digest, "evidence": digest(evidence)}
    store.set_alias("champion", Pointer(version=3, **known))
    version, loaded, read = store.load("champion")
    assert (version, loaded.files, read) == (3, bundle.files, evidence)
    for name in known:
        store.set_alias("champion", Pointer(version=3, **{**known, name: "another"}))
        with pytest.raises(UserError, match="names other files than those of version 3"):
            store.load("champion")
    with pytest.raises(UserError, match="There is no challenger in"):
        store.load("challenger")


def test_pointer_from_before_evidence_had_a_digest_is_loaded(tmp_path: Path) -> None:
    bundle = Bundle({"weights.json": b"{}"}, MANIFEST)
    store = Store(str(tmp_path))
    store.publish(3, "evidence", {"card.md": b"card"})
    store.publish(3, "bundle", pack(bundle))
    old = f'{{"version":3,"digest":"{bundle.digest}","previous":[]}}'
    (tmp_path / "champion.json").write_text(old)
    assert store.load("champion")[0] == 3


@pytest.mark.parametrize("link", ["versions/1/bundle/weights.json", "versions/1/bundle"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_symbolic_link_is_refused(tmp_path: Path, link: str, scheme: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "store")  # the store itself may be one
    store = Store(f"{scheme}{tmp_path / 'link'}")
    store.publish(1, "bundle", FILES)
    assert store.fetch(1, "bundle") == FILES
    path = tmp_path / "store" / link
    path.rename(tmp_path / "outside")
    path.symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match=r"weights\.json in .*link is a symbolic link"):
        store.fetch(1, "bundle")


def test_missing_version_is_named(store: Store) -> None:
    with pytest.raises(UserError, match="has no bundle of version 3"):
        store.fetch(3, "bundle")


def test_alias_is_set_moved_and_deleted(store: Store) -> None:
    assert store.pointer("champion") is None
    for version in (1, 2):
        store.set_alias("champion", pointer(version))
    assert store.pointer("champion") == pointer(2)
    assert store.pointer("challenger") is None
    for _ in range(2):
        store.delete_alias("champion")
        assert store.pointer("champion") is None


def test_readers_see_the_old_pointer_or_the_new(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    seen = set()
    done = threading.Event()
    versions = [pointer(version) for version in range(1, 9)]
    store.set_alias("champion", versions[0])

    def watch() -> None:
        reader = Store(str(tmp_path))
        while not done.is_set():
            seen.add(reader.pointer("champion"))

    readers = [threading.Thread(target=watch) for _ in range(3)]
    for thread in readers:
        thread.start()
    for version in versions * 25:
        store.set_alias("champion", version)
    done.set()
    for thread in readers:
        thread.join()
    assert len(seen) > 1
    assert seen <= set(versions)


@pytest.mark.parametrize("address", ["nowhere://models", "s3://", "http:/x://"])
def test_unusable_address_is_named(address: str) -> None:
    with pytest.raises(UserError, match=f"The model store {address} cannot be used"):
        Store(address)


@pytest.mark.parametrize("password", ["secret", "sec/ret", "sec@ret"])
def test_address_is_named_without_its_password(password: str) -> None:
    with pytest.raises(UserError, match="The model store nowhere://models cannot be") as error:
        Store(f"nowhere://me:{password}@models")
    assert "ret" not in str(error.value)


def test_bucket_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = {"ENDPOINT": address, "ALLOW_HTTP": "true", "TIMEOUT": "1s", "REGION": "x"}
        for name, value in {**settings, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        with pytest.raises(StoreUnreachable, match="s3://models cannot be used: Generic S3 error"):
            Store("s3://models").pointer("champion")


def test_store_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    (tmp_path / "versions").write_text("a file where a folder must be")
    with pytest.raises(UserError, match=f"The model store {tmp_path} cannot be used"):
        store.publish(1, "bundle", FILES)


def test_damaged_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "champion.json").write_text("{")
    with pytest.raises(UserError, match=r"champion\.json .* is damaged"):
        Store(str(tmp_path)).pointer("champion")
