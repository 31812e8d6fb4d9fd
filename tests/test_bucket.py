"""The model store in a bucket of each cloud, emulated on this machine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import obstore
import polars as pl
import pytest
from emulators import EMULATORS, Cloud
from obstore.store import from_url

from project_package.errors import UserError
from project_package.lifecycle.folders import MARK, Folder
from project_package.model_store import Pointer, Store
from project_package.object_stores import StoreUnreachable

LARGE = 40_000_000
"""Bytes of a file that is too large for one request: a part has 5 MiB."""


@pytest.fixture(params=EMULATORS)
def cloud(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """Start the storage of a cloud, with its settings in the environment."""
    with EMULATORS[request.param](tmp_path) as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.fixture
def store(cloud: Cloud, tmp_path: Path) -> Store:
    return Store(cloud.store, tmp_path / "downloads")


def test_published_bundle_never_changes(store: Store) -> None:
    for _ in range(2):
        store.publish(1, "bundle", {"weights.json": b"{}"})
    with pytest.raises(UserError, match=r"has another versions/1/bundle/weights\.json"):
        store.publish(1, "bundle", {"weights.json": b"other"})
    assert store.fetch(1, "bundle") == {"weights.json": b"{}"}


def test_alias_is_moved_and_deleted(store: Store) -> None:
    for version in (1, 2):
        pointer = Pointer(version=version, digest=f"{version}" * 64)
        store.set_alias("champion", pointer)
        assert store.pointer("champion") == pointer
    store.delete_alias("champion")
    assert store.pointer("champion") is None


def test_large_file_is_uploaded_in_parts_and_downloaded_once(
    store: Store, cloud: Cloud, tmp_path: Path
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(np.random.default_rng(1).bytes(LARGE))
    path = store.add_large(file)
    assert path.parent == tmp_path / "downloads"
    assert path.read_bytes() == file.read_bytes()
    bucket = from_url(cloud.store)
    (item,) = obstore.list(bucket).collect()
    assert (item["path"], item["size"]) == (f"large/{path.name}", LARGE)
    if cloud.store.startswith("s3:"):  # other clouds do not show it
        assert str(item["e_tag"]).rpartition("-")[2] == '8"'  # parts
    obstore.delete(bucket, item["path"])
    assert store.locate(path.name) == path
    path.unlink()
    with pytest.raises(UserError, match=f"has no large/{path.name}: train again"):
        store.locate(path.name)


def test_tables_of_a_bucket_are_read_and_answered(cloud: Cloud, tmp_path: Path) -> None:
    (scratch := tmp_path / "scratch").mkdir()
    folder = Folder(f"{cloud.store}/days")
    for name in ("1.csv", "2.csv", "notes.md", "other/3.csv"):
        obstore.put(from_url(folder.address), name, b"a\n1\n")
    assert [*folder.tables("*")] == ["1.csv", "2.csv"]
    assert [*folder.tables("2*")] == ["2.csv"]
    assert folder.path("1.csv", scratch).read_bytes() == b"a\n1\n"
    pl.DataFrame({"a": range(400_000)}).write_parquet(
        scratch / "1.parquet", metadata={MARK: "x"}, compression="uncompressed"
    )
    folder.add(scratch / "1.parquet")
    assert (folder.read_mark("1.parquet"), folder.read_mark("2.parquet")) == ("x", "")
    with pytest.raises(UserError, match=r"1\.csv in .* is not a file of answers"):
        folder.read_mark("1.csv")
    assert Folder(f"{cloud.store}/days/").address == folder.address


def test_missing_bucket_is_named(cloud: Cloud) -> None:
    address = cloud.store.replace("models/shop", "missing/shop")
    with pytest.raises(StoreUnreachable, match=rf"{address} cannot be used: .*404"):
        Store(address).set_alias("champion", Pointer(version=1, digest="1" * 64))
