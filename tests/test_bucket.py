"""The model store in a bucket: moto answers as Amazon S3 does, on this machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from project_package.errors import UserError
from project_package.model_store import Pointer, Store, StoreUnreachable

LARGE = 40_000_000
"""Bytes of a file that is too large for one request: a part has 5 MiB."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start a server with an empty bucket, which settings of AWS name."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "ada",
        "AWS_ALLOW_HTTP": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_SECRET_ACCESS_KEY": "lovelace",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3").Bucket("models")
    bucket.create()
    yield bucket
    bucket.objects.delete()  # moto keeps its data when a server stops
    bucket.delete()
    server.stop()


@pytest.fixture
def store(bucket: Any, tmp_path: Path) -> Store:
    return Store(f"s3://{bucket.name}/shop", tmp_path / "downloads")


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
    store: Store, bucket: Any, tmp_path: Path
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(np.random.default_rng(1).bytes(LARGE))
    path = store.add_large(file)
    assert path.parent == tmp_path / "downloads"
    assert path.read_bytes() == file.read_bytes()
    (item,) = bucket.objects.all()
    assert (item.key, item.size) == (f"shop/large/{path.name}", LARGE)
    assert item.e_tag.rpartition("-")[2] == '8"'  # parts
    item.delete()
    assert store.locate(path.name) == path
    path.unlink()
    with pytest.raises(UserError, match=f"has no large/{path.name}: train again"):
        store.locate(path.name)


@pytest.mark.usefixtures("bucket")
def test_missing_bucket_is_named() -> None:
    with pytest.raises(StoreUnreachable, match=r"s3://missing/shop cannot be used: .*404"):
        Store("s3://missing/shop").set_alias("champion", Pointer(version=1, digest="1" * 64))
