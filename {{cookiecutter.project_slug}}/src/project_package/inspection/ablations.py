"""Remove a part of what images show, for `ml checklist`."""

from collections.abc import Iterator

import numpy as np

from ..columns import Columns
from ..contract.checklist import permuted

FINE = 4
"""Side of the squares of pixels whose grey levels are averaged."""


def ablations(rows: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield rows with other images, and rows with images without fine detail."""
    yield from permuted(rows, {"image": ("image",)})
    images = rows["image"]
    side = images.shape[1] // FINE
    squares = images[:, : side * FINE, : side * FINE].reshape(-1, side, FINE, side, FINE)
    coarse = squares.mean((2, 4)).repeat(FINE, axis=1).repeat(FINE, axis=2)
    padding = images.shape[1] - coarse.shape[1]
    padded = np.pad(coarse, ((0, 0), (0, padding), (0, padding)), "edge")
    yield "fine detail", {**rows, "image": padded.astype(np.uint8)}
