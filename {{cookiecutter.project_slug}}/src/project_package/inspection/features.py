"""Statistics of an image, made by hand: what the simple baseline sees, and what is unusable."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..columns import Columns
from ..frozen import Frozen

GRID = 8  # cells on a side, whose means are compared
QUANTILES = (0.01, 0.05, 0.95, 0.99)


def statistics(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return contrast, slopes and extremes of images of (rows, size, size): (rows, 14).

    The mean grey level of an image is subtracted first: it depends on the light.
    """
    pixels = images.astype(np.float32)
    pixels -= pixels.mean((1, 2), keepdims=True)
    across = np.diff(pixels, axis=2)
    down = np.diff(pixels, axis=1)
    side = pixels.shape[1] // GRID
    square = pixels[:, : side * GRID, : side * GRID]
    cells = square.reshape(-1, GRID, side, GRID, side).mean((2, 4))
    both = (1, 2)
    columns = [
        *(values.std(both) for values in (pixels, across, down, cells)),
        *(np.abs(values).max(both) for values in (across, down)),
        *(values.min(both) for values in (pixels, cells)),
        *(values.max(both) for values in (pixels, cells)),
        *np.quantile(pixels, QUANTILES, axis=both),
    ]
    return np.stack(columns, axis=1, dtype=np.float32, casting="same_kind")


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
            "contrast": np.array([image.std() for image in images]),  # one by one: it takes memory
            "sharpness": sharpness(images),
        }
        low = [values < getattr(self, name) for name, values in figures.items()]
        return np.select(low, [*figures], default="").astype(object)


def sharpness(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean squared slope of each image, across and down: low when it is out of focus."""
    return np.array([np.mean([np.mean(np.square(s)) for s in slopes(image)]) for image in images])


def slopes(image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Return the differences of neighbouring pixels, across and down."""
    return [np.diff(image.astype(np.float32), axis=axis) for axis in (1, 0)]
