"""Rows with references to stored images are answered as rows with the images themselves."""

import resource
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from project_package.columns import digest
from project_package.errors import UserError
from project_package.inspection.dataset import find_copies, load_data
from project_package.inspection.image_files import new_images, temporary_images
from project_package.inspection.images import stack
from project_package.inspection.models import candidates
from project_package.inspection.params import InspectionParams
from project_package.inspection.split import split

PARAMS = InspectionParams.model_validate(
    {"name": "t", "data": {"parts": 100, "size": 32}, "network": {"epochs": 1, "held_out": 0.2}}
)


def test_stored_images_give_the_same_models(tmp_path: Path) -> None:
    load_data(PARAMS, tmp_path, lambda _: None)
    find_copies(PARAMS, tmp_path, lambda _: None)
    splits = split(PARAMS, tmp_path)
    plain = [{**rows, "image": stack(rows["image"])} for rows in (splits.train, splits.test)]
    for candidate in candidates(PARAMS, tmp_path):
        stored = candidate.fit(splits.train, candidate.start, 1)
        same = candidate.fit(plain[0], candidate.start, 1)  # trained apart: another cache key
        expected = same.predict(plain[1])["probability"]
        assert np.array_equal(stored.predict(splits.test)["probability"], expected)


def test_digest_of_rows_depends_on_pixels_only(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        load_data(PARAMS, tmp_path / name, lambda _: None)
        find_copies(PARAMS, tmp_path / name, lambda _: None)
        digests.append(digest(split(PARAMS, tmp_path / name).test))
    assert digests[0] == digests[1]
    other = PARAMS.model_copy(update={"data": PARAMS.data.model_copy(update={"seed": 8})})
    load_data(other, tmp_path, lambda _: None)
    find_copies(other, tmp_path, lambda _: None)
    assert digest(split(other, tmp_path).test) != digests[0]


def test_images_of_erased_parts_are_removed(tmp_path: Path) -> None:
    load_data(PARAMS, tmp_path, lambda _: None)
    before = np.load(tmp_path / "images.npy")
    table = pl.read_parquet(tmp_path / "rows.parquet")
    rest = table.filter(pl.col("part") != "part-00000")
    rest.write_parquet(tmp_path / "rows.parquet")
    find_copies(PARAMS, tmp_path, lambda _: None)
    assert np.array_equal(np.load(tmp_path / "images.npy"), before[2:])
    splits = split(PARAMS, tmp_path)
    found = {stored.sha256: stored.pixels() for stored in splits.test["image"]}
    by_hash = dict(zip(table["image"], before, strict=True))
    assert all(np.array_equal(pixels, by_hash[name]) for name, pixels in found.items())
    assert {*tmp_path.iterdir()} == {tmp_path / "images.npy", tmp_path / "rows.parquet"}


def test_data_without_any_part_left_is_an_error(tmp_path: Path) -> None:
    load_data(PARAMS, tmp_path, lambda _: None)
    table = pl.read_parquet(tmp_path / "rows.parquet")
    table.clear().write_parquet(tmp_path / "rows.parquet")
    with pytest.raises(UserError, match="erased"):
        find_copies(PARAMS, tmp_path, lambda _: None)


def test_blocks_are_taken_before_images_are_written(tmp_path: Path) -> None:
    images = new_images(tmp_path / "images.npy", 200, 32)
    assert 512 * (tmp_path / "images.npy").stat().st_blocks >= images.nbytes


def test_temporary_images_are_written_ahead_and_deleted(tmp_path: Path) -> None:
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, usual[1]))  # as on a full disk
    try:
        with pytest.raises(OSError, match="large"):
            temporary_images(tmp_path, 200, 32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    images = temporary_images(tmp_path, 200, 32)
    assert not images.any()
    assert not [*tmp_path.iterdir()]


def test_copies_can_be_searched_again(tmp_path: Path) -> None:
    load_data(PARAMS, tmp_path, lambda _: None)
    find_copies(PARAMS, tmp_path, lambda _: None)
    table = pl.read_parquet(tmp_path / "rows.parquet")
    images = np.load(tmp_path / "images.npy")
    table.reverse().write_parquet(tmp_path / "rows.parquet")
    find_copies(PARAMS, tmp_path, lambda _: None)
    assert np.array_equal(np.load(tmp_path / "images.npy"), images[::-1])


def test_data_set_without_images_must_be_made_again(tmp_path: Path) -> None:
    load_data(PARAMS, tmp_path, lambda _: None)
    find_copies(PARAMS, tmp_path, lambda _: None)
    (tmp_path / "images.npy").unlink()
    with pytest.raises(UserError, match="ml data"):
        split(PARAMS, tmp_path).test["image"][0].pixels()
