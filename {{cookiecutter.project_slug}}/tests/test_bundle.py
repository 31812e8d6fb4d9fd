"""The one artifact: sealed by its manifest, refused when a byte is not what it was."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from project_package.bundle import (
    GRAPH,
    MANIFEST,
    Bundle,
    Manifest,
    pack,
    read,
    sha256,
    unpack,
    write,
)
from project_package.errors import UserError


def bundle() -> Bundle:
    manifest = Manifest(
        name="demo",
        candidate="trees",
        settings={"depth": 3},
        created="",
        commit="",
        data="d",
        test="t",
    )
    return Bundle(b"graph", {"assets.json": b"{}"}, manifest)


def test_what_is_packed_is_unpacked() -> None:
    found = unpack(pack(bundle()))
    assert (found.graph, found.assets) == (b"graph", {"assets.json": b"{}"})
    assert found.manifest.settings == {"depth": 3}
    assert found.digest == sha256(b"graph")


def test_the_manifest_is_last_and_names_every_other_file() -> None:
    files = pack(bundle())
    assert list(files)[-1] == MANIFEST
    assert json.loads(files[MANIFEST])["files"].keys() == files.keys() - {MANIFEST}


def test_packing_again_gives_the_same_bytes() -> None:
    assert pack(unpack(pack(bundle()))) == pack(bundle())


def test_a_bundle_without_manifest_was_never_finished() -> None:
    files = {name: content for name, content in pack(bundle()).items() if name != MANIFEST}
    with pytest.raises(UserError, match="was never finished; train again"):
        unpack(files)


@pytest.mark.parametrize("name", [GRAPH, "assets.json"])
def test_a_changed_file_is_named(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} of this bundle was changed or damaged"):
        unpack({**pack(bundle()), name: b"other"})


def test_a_missing_and_an_unexpected_file_are_named() -> None:
    files = {**pack(bundle()), "virus.py": b""}
    with pytest.raises(UserError, match=r"disagree about virus\.py"):
        unpack(files)
    del files["virus.py"], files[GRAPH]
    with pytest.raises(UserError, match=r"disagree about model\.onnx"):
        unpack(files)


@pytest.mark.parametrize("manifest", [b"", b"{", b'{"name": 3}', b"\xff"])
def test_a_manifest_that_cannot_be_read_is_refused_in_words(manifest: bytes) -> None:
    with pytest.raises(UserError, match=r"manifest\.json of this bundle cannot be read"):
        unpack({**pack(bundle()), MANIFEST: manifest})


def test_a_folder_holds_what_was_written(tmp_path: Path) -> None:
    write(pack(bundle()), tmp_path / "new")
    assert unpack(read(tmp_path / "new")) == unpack(pack(bundle()))


def test_a_folder_is_never_written_twice(tmp_path: Path) -> None:
    write(pack(bundle()), tmp_path / "new")
    with pytest.raises(FileExistsError):
        write(pack(replace(bundle(), graph=b"other")), tmp_path / "new")
