"""The groups of households that recommendations must serve alike."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns


def groups(rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Group households by their baskets of the year before: little is known of some."""
    known = np.array([len(baskets) for baskets in rows["baskets"]])
    few, many = np.quantile(known, [0.25, 0.75])
    return {
        f"up to {few:g} baskets": known <= few,
        f"{few:g} to {many:g} baskets": (known > few) & (known <= many),
        f"more than {many:g} baskets": known > many,
    }
