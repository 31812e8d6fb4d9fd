"""Decode PNG and JPEG images within limits, in grey, and scale them to squares of one size."""

import base64
import re
import struct
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from .image_files import StoredImage

Pixels = NDArray[np.uint8]
"""Grey levels, (height, width)."""
FORMATS = ("PNG", "JPEG")
MAX_BYTES = 8 * 2**20  # of a file
MAX_PIXELS = 16_000_000  # a small file can hold many more, and would fill the memory
PIXELS_A_BYTE = 200  # of images above a megapixel; a JPEG without any contrast has 85
DATA_URL = re.compile(r"data:[^,;]*(;[^,;]*)*;base64,", re.IGNORECASE)
DATA_URL_HEAD = 100  # characters that are searched for it
DAMAGES = (OSError, SyntaxError, EOFError, ValueError, struct.error)
"""What Pillow raises for files that are damaged, or none of its formats."""


class Scaled(NamedTuple):
    """A scaled image."""

    pixels: Pixels
    side: int
    """The shorter side before, in pixels."""


def decode(content: bytes) -> Pixels:
    """Decode an image, turned as its EXIF orientation says.

    Raises:
        ValueError: it is no complete PNG or JPEG image, or too large.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"must be an image of at most {MAX_BYTES // 2**20} MB")
    most = min(MAX_PIXELS, max(1_000_000, PIXELS_A_BYTE * len(content)))
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:  # reads the head only
            if image.width * image.height <= most:
                turned = ImageOps.exif_transpose(image)
                if turned.mode.startswith("I"):  # 16 bits, which `convert` would cut off
                    return (np.asarray(turned) // 256).astype(np.uint8)
                return np.asarray(turned.convert("L"))
    except Image.DecompressionBombError:  # Pillow's own limit is higher
        pass
    except DAMAGES as error:
        raise ValueError("must be a complete PNG or JPEG image") from error
    raise ValueError(f"must be an image of at most {most:,} pixels in {len(content):,} bytes")


def scale(pixels: Pixels, size: int) -> Pixels:
    """Return an image as a square of `size` pixels a side; a square of that size stays as it is."""
    if pixels.shape == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def to_scaled(value: Any, size: int | None = None) -> Scaled:
    """Decode an image as `to_pixels` does, and scale it to a square, if a size is given."""
    pixels = to_pixels(value)
    return Scaled(scale(pixels, size) if size else pixels, min(pixels.shape))


def encode(pixels: Pixels) -> bytes:
    """Return an image as a PNG file."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def to_pixels(value: Any) -> Pixels:
    """Decode an image in base64 or a data URL, as in JSON, or a file; read one of a data set.

    An array stays as it is.

    Raises:
        ValueError: it is not base64, or not an image as `decode` says.
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, bytes):
        return decode(value)
    if isinstance(value, StoredImage):
        return value.pixels()
    try:
        text = "".join(value.split())
        head = DATA_URL.match(text[:DATA_URL_HEAD])
        content = base64.b64decode(text[head.end() if head else 0 :], validate=True)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError("must be a PNG or JPEG image in base64") from error
    return decode(content)


def to_base64(pixels: Pixels) -> str:
    """Return an image as a PNG file in base64."""
    return base64.b64encode(encode(pixels)).decode()


def stack(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return a few images of a column as one array, (rows, size, size); read stored ones."""
    return np.stack([*map(to_pixels, images)]) if images.dtype == object else images


def side(images: NDArray[Any]) -> int:
    """Return the side of the images of a column, in pixels."""
    return len(to_pixels(images[0]))
