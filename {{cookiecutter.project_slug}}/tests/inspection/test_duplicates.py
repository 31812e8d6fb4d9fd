"""Photos under two parts are found although they were changed; different plates are not alike."""

import logging
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from project_package.inspection.dataset import find_copies, load_data
from project_package.inspection.duplicates import find_duplicates
from project_package.inspection.images import Pixels, decode, encode, scale
from project_package.inspection.params import InspectionParams
from project_package.inspection.simulator import Simulated, simulate
from project_package.inspection.split import split

ROWS = simulate(Simulated(parts=300))


def duplicates(images: NDArray[np.uint8], parts: NDArray[np.object_]) -> list[list[int]]:
    hashes = [image.tobytes() for image in images]
    pairs: list[list[int]] = find_duplicates(
        images, pl.DataFrame({"image": hashes, "part": parts})
    ).tolist()
    return pairs


def compressed(pixels: Pixels) -> Pixels:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=70)
    return decode(buffer.getvalue())


CHANGES: dict[str, Any] = {
    "none": lambda pixels: pixels,
    "compressed": compressed,
    "brighter": lambda pixels: np.clip(pixels * 1.1 + 10, 0, 255).astype(np.uint8),
    "resized": lambda pixels: scale(scale(pixels, 48), 64),
    "moved": lambda pixels: np.roll(pixels, (1, -1), (0, 1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_copies_of_other_parts_are_found(change: str) -> None:
    images = ROWS["image"].copy()
    for number in range(10):
        images[number + 300] = CHANGES[change](images[number])
    assert duplicates(images, ROWS["part"]) == [[number, number + 300] for number in range(10)]
    assert not duplicates(images, np.full(len(images), "one", object))


def test_copies_of_a_copy_are_found() -> None:
    images = ROWS["image"].copy()
    images[20] = compressed(images[0])
    images[40] = CHANGES["moved"](images[0])
    assert duplicates(images, ROWS["part"]) == [[0, 20], [0, 40], [20, 40]]


def test_equal_images_of_several_parts_are_all_found() -> None:
    images = ROWS["image"].copy()
    images[[20, 21, 40]] = images[0]
    images[1] = compressed(images[0])  # of the part of image 0; images 20 and 21 have one, too
    pairs = [[0, 20], [0, 21], [0, 40], [1, 20], [1, 21], [1, 40], [20, 40], [21, 40]]
    assert duplicates(images, ROWS["part"]) == pairs


def test_default_data_have_no_copies() -> None:
    rows = simulate(Simulated())
    assert not duplicates(rows["image"], rows["part"])


def test_data_warn_and_test_images_are_marked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for kind in ("good", "dent"):
        (tmp_path / kind).mkdir()
    for name, kind, pixels in zip(ROWS["name"], ROWS["kind"], ROWS["image"], strict=True):
        (tmp_path / ("dent" if kind != "good" else kind) / f"{name}.png").write_bytes(
            encode(pixels)
        )
    good = sorted((tmp_path / "good").iterdir())
    (tmp_path / "good" / "equal.png").write_bytes(good[0].read_bytes())
    near = encode(compressed(decode(good[1].read_bytes())))
    (tmp_path / "good" / "near.png").write_bytes(near)
    params = InspectionParams.model_validate({"name": "t", "data": {"source": str(tmp_path)}})
    with caplog.at_level(logging.WARNING):
        load_data(params, tmp_path, lambda _: None)
        find_copies(params, tmp_path, lambda _: None)
    assert "Pairs of images of different parts: 1 equal, 1 nearly, such as" in caplog.text
    assert f"{tmp_path / 'good' / 'equal.png'} and {good[0]}" in caplog.text
    table = pl.read_parquet(tmp_path / "rows.parquet")
    assert (table["copies"] != "").sum() == 4
    splits = split(params, tmp_path)
    train, test = ({*rows["name"]} for rows in (splits.train, splits.test))
    copies = dict(zip(table["name"], table["copies"], strict=True))
    marked = {name for name in test if copies[name] in train}
    assert {*splits.test["name"][splits.test["copied"]]} == marked
