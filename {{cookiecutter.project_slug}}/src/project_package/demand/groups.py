"""The groups of products that forecasts must serve alike."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from .features import LEVEL

RARE = 5
"""Units a week, below which a product is rarely sold."""


def groups(rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Group products by how much is sold: errors of rare ones hardly count in a mean."""
    level = rows[LEVEL]
    return {"rarely sold": level < RARE, "often sold": level >= RARE}
