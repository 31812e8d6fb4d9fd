"""The one artifact: sealed by its manifest, refused when a byte differs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from project_package.bundle import (
    EXAMPLES,
    MANIFEST,
    PARAMS,
    Bundle,
    Manifest,
    pack,
    read_files,
    unpack,
    write_files,
)
from project_package.errors import UserError

BUNDLE = Bundle(
    files={"weights.json": b"{}", PARAMS: b"{}", EXAMPLES: b"[]"},
    manifest=Manifest(
        name="demo", candidate="", settings={"depth": 3}, created="", commit="", data="d", test="t"
    ),
)


def test_packed_bundle_is_unpacked() -> None:
    found = unpack(pack(BUNDLE), Path)
    assert (found.files, found.digest) == (BUNDLE.files, BUNDLE.digest)
    assert found.manifest.settings == {"depth": 3}
    assert pack(found) == pack(BUNDLE)


def test_manifest_is_last_and_names_every_other_file() -> None:
    files = pack(BUNDLE)
    assert list(files)[-1] == MANIFEST
    assert json.loads(files[MANIFEST])["files"].keys() == files.keys() - {MANIFEST}


def test_digest_covers_names_and_content_but_no_order() -> None:
    reordered = dict(sorted(BUNDLE.files.items(), reverse=True))
    assert replace(BUNDLE, files=reordered).digest == BUNDLE.digest
    for files in ({**BUNDLE.files, PARAMS: b"{ }"}, {**BUNDLE.files, "more": b""}):
        assert replace(BUNDLE, files=files).digest != BUNDLE.digest


def test_bundle_without_manifest_is_refused() -> None:
    with pytest.raises(UserError, match="was never finished; train again"):
        unpack(BUNDLE.files, Path)


@pytest.mark.parametrize("name", sorted(BUNDLE.files))
def test_changed_file_is_named(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} of this bundle was changed or damaged"):
        unpack({**pack(BUNDLE), name: b"other"}, Path)


def test_missing_and_unexpected_files_are_named() -> None:
    files = {**pack(BUNDLE), "virus.py": b""}
    with pytest.raises(UserError, match=r"disagree about virus\.py"):
        unpack(files, Path)
    del files["virus.py"], files["weights.json"]
    with pytest.raises(UserError, match=r"disagree about weights\.json"):
        unpack(files, Path)


@pytest.mark.parametrize("manifest", [b"", b"{", b'{"name": 3}', b"\xff"])
def test_unreadable_manifest_is_refused(manifest: bytes) -> None:
    with pytest.raises(UserError, match=r"manifest\.json of this bundle cannot be read"):
        unpack({**pack(BUNDLE), MANIFEST: manifest}, Path)


def test_folder_is_written_once_and_read(tmp_path: Path) -> None:
    write_files(pack(BUNDLE), tmp_path / "new")
    assert unpack(read_files(tmp_path / "new"), Path) == unpack(pack(BUNDLE), Path)
    with pytest.raises(FileExistsError):
        write_files(pack(BUNDLE), tmp_path / "new")


def test_large_file_is_referenced_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 64)
    path.write_bytes(b"0" * 3_000_000)
    bundle = replace(BUNDLE, large={"weights": path})
    packed = pack(bundle)
    assert packed.keys() == pack(BUNDLE).keys()
    assert unpack(packed, tmp_path.joinpath).large == {"weights": path}
    assert bundle.megabytes == pytest.approx(BUNDLE.megabytes + 3, abs=0.01)
    other = replace(BUNDLE, large={"weights": path.with_name("b" * 64)})
    assert len({BUNDLE.digest, bundle.digest, other.digest}) == 3
