"""Which images are usable: contrast and sharpness, and their limits.

Images are measured one by one, since floats take several times their memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..columns import Columns
from ..frozen import Frozen
from .images import to_pixels


class Usable(Frozen):
    """The least that an image must have; the model does not answer others."""

    side: int = Field(default=32, ge=1, description="pixels of the shorter side of the file")
    contrast: float = Field(default=2, ge=0, description="standard deviation of the grey levels")
    sharpness: float = Field(default=0.5, ge=0, description="mean squared slope, in grey levels")

    def below(self, rows: Columns) -> NDArray[np.object_]:
        """Return what is below its limit: "side", "contrast", "sharpness" or "", (rows,).

        Contrast and sharpness are those of the scaled image; a row without `side` has enough.
        """
        images = rows["image"]
        figures = {
            "side": rows.get("side", np.full(len(images), np.inf)),
            "contrast": contrast(images),
            "sharpness": sharpness(images),
        }
        low = [values < getattr(self, name) for name, values in figures.items()]
        return np.select(low, [*figures], default="").astype(object)


def brightness(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean grey level of each image."""
    return np.array([image.mean() for image in map(to_pixels, images)])


def contrast(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return the standard deviation of the grey levels of each image."""
    return np.array([image.std() for image in map(to_pixels, images)])


def sharpness(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean squared slope of each image, across and down: low when it is out of focus."""
    return np.array(
        [np.mean([np.mean(np.square(s)) for s in slopes(to_pixels(image))]) for image in images]
    )


def slopes(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return the differences of neighbouring pixels, across and down."""
    return [np.diff(image.astype(np.float32), axis=axis) for axis in (1, 0)]
