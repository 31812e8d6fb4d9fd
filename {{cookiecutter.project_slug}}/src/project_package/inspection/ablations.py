"""Remove a part of what images show, for `ml checklist`."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.checklist import permuted
from .images import Pixels, to_pixels

FINE = 4
"""Side of the squares of pixels whose grey levels are averaged."""


def ablations(rows: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield rows with other images, and rows with images without fine detail."""
    yield from permuted(rows, {"image": ("image",)})
    yield "fine detail", {**rows, "image": np.stack([*map(coarse, rows["image"])])}


def coarse(image: Any) -> Pixels:
    """Return an image whose squares have their mean grey level."""
    pixels = to_pixels(image)
    side = len(pixels) // FINE
    squares = pixels[: side * FINE, : side * FINE].reshape(side, FINE, side, FINE)
    means = squares.mean((1, 3)).repeat(FINE, axis=0).repeat(FINE, axis=1)
    padded: Pixels = np.pad(means, (0, len(pixels) - len(means)), "edge").astype(np.uint8)
    return padded
