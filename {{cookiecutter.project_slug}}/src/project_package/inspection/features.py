"""Statistics of an image, made by hand: what the simple baseline sees."""

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

    def lacking(self, rows: Columns) -> NDArray[np.str_]:
        """Return what is below its limit: "side", "contrast", "sharpness" or "", (rows,).

        Contrast and sharpness are those of the scaled image; a row without `side` has enough.
        """
        images = rows["image"]
        figures = {
            "side": rows.get("side", np.full(len(images), np.inf)),
            "contrast": images.std((1, 2), dtype=np.float32),
            "sharpness": sharpness(images),
        }
        low = [values < getattr(self, name) for name, values in figures.items()]
        return np.select(low, [*figures], default="")


def sharpness(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the mean squared slope of each image: low when it is out of focus."""
    slopes = np.diff(images.astype(np.float32), axis=2)
    means: NDArray[np.float64] = np.mean(slopes**2, axis=(1, 2), dtype=np.float64)
    return means
