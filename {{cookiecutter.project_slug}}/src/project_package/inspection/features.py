"""Statistics of an image, made by hand: what the simple baseline sees."""

import numpy as np
from numpy.typing import NDArray

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
