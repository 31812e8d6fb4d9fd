"""PNG and JPEG images are decoded within limits; everything else is refused with a sentence."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from project_package.inspection import images
from project_package.inspection.features import QUANTILES, statistics
from project_package.inspection.images import decode, encode, scale, to_base64
from project_package.inspection.schemas import InspectionRequest, request_type

RAMP = np.tile(np.arange(0, 240, 6, dtype=np.uint8), (30, 1))


def file_of(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


BOMB = file_of(np.zeros((20_000, 20_000), bool))


def test_png_survives_unchanged() -> None:
    assert np.array_equal(decode(encode(RAMP)), RAMP)


def test_colours_become_grey_and_jpeg_is_close() -> None:
    colours = np.stack([RAMP] * 3, axis=2)
    assert np.array_equal(decode(file_of(colours)), RAMP)
    assert np.abs(decode(file_of(RAMP, "JPEG")).astype(int) - RAMP).max() <= 3


def test_sixteen_bits_keep_their_range() -> None:
    assert np.array_equal(decode(file_of(RAMP.astype(np.uint16) * 256)), RAMP)


def test_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decode(file_of(RAMP, "JPEG", exif=exif)).shape == RAMP.T.shape


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a complete PNG or JPEG image"),
        (b"GIF89a" + bytes(50), "must be a complete PNG or JPEG image"),
        (file_of(RAMP)[:-30], "must be a complete PNG or JPEG image"),
        (file_of(RAMP, "BMP"), "must be a complete PNG or JPEG image"),
        (file_of(np.zeros((4001, 4000), np.uint8), "JPEG"), "at most 16,000,000 pixels"),
        (file_of(np.zeros((2000, 2000), bool)), "at most 1,000,000 pixels in"),
        (BOMB, f"at most {200 * len(BOMB):,} pixels in {len(BOMB):,} bytes"),
        (bytes(images.MAX_BYTES + 1), "at most 8 MB"),
    ],
)
def test_what_is_no_image_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(content)
    with pytest.raises(ValidationError, match=message):
        InspectionRequest(image=base64.b64encode(content).decode())
    with pytest.raises(ValidationError, match=message):
        InspectionRequest(image=content)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about damaged EXIF data
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_files_are_decoded_or_refused(kind: str) -> None:
    random = np.random.default_rng(1)
    whole = file_of(RAMP, kind)
    refused = list[str]()
    for _ in range(200):
        content = bytearray(whole)
        for position in random.integers(0, min(len(whole), 300), 5):
            content[position] = random.integers(256)
        try:
            assert decode(bytes(content)).ndim == 2
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 20
    assert all(reason.startswith("must be") for reason in refused)


@pytest.mark.parametrize("image", ["!", "a", "ä", 3, None, [1], "data:text/html;base64,QQ=="])
def test_what_is_not_base64_is_refused(image: Any) -> None:
    with pytest.raises(ValidationError, match="must be a"):
        InspectionRequest(image=image)


@pytest.mark.parametrize("request_of", [InspectionRequest, request_type(40)])
def test_request_survives_json(request_of: type[InspectionRequest]) -> None:
    request = request_of(image=to_base64(RAMP), part_id="P")
    again = request_of.model_validate_json(request.model_dump_json(), strict=True)
    assert np.array_equal(again.image.pixels, request.image.pixels)


def test_request_keeps_a_small_image_and_names_its_size() -> None:
    request = request_type(16)(image=encode(np.zeros((1000, 1000), np.uint8)))
    assert (request.image.pixels.shape, request.image.side) == ((16, 16), 1000)
    assert "16 x 16 pixels" in str(request_type(16).model_json_schema()["properties"]["image"])


@pytest.mark.parametrize(
    "prefix",
    ["", "data:image/png;base64,", " DATA:image/jpg;charset=utf-8;base64,\n", "data:;base64,"],
)
def test_base64_may_have_line_breaks_and_be_a_data_url(prefix: str) -> None:
    text = base64.encodebytes(encode(RAMP)).decode()
    assert np.array_equal(InspectionRequest(image=prefix + text).image.pixels, RAMP)


def test_data_url_is_read_at_the_start_only() -> None:
    text = to_base64(RAMP)
    with pytest.raises(ValidationError, match="in base64"):
        InspectionRequest(image=text[:20] + "data:image/png;base64," + text[20:])
    with pytest.raises(ValidationError, match="a complete PNG or JPEG"):
        InspectionRequest(image=" " * 2**22)  # a search at each space would take hours


def test_image_is_scaled_to_a_square() -> None:
    assert scale(RAMP, 16).shape == (16, 16)
    square = np.full((16, 16), 7, np.uint8)
    assert scale(square, 16) is square


def test_statistics_of_a_step_by_hand() -> None:
    step = np.full((1, 16, 16), 100, np.uint8)
    step[:, :, 8:] = 140  # the right half, 20 above the mean
    found = dict(zip(range(14), statistics(step)[0].tolist(), strict=True))
    assert (found[0], found[3]) == (20, 20)  # contrast, of pixels and of cells
    assert (found[4], found[5]) == (40, 0)  # the steepest slope, across and down
    assert [found[n] for n in range(6, 10)] == [-20, -20, 20, 20]  # extremes
    assert [found[n] for n in range(10, 14)] == [-20, -20, 20, 20]
    assert len(QUANTILES) == 4
