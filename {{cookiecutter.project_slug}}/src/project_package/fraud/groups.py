"""The groups of customers that fraud detection must serve alike."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns


def groups(rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Group by how often a card paid lately: little is known of cards that pay rarely."""
    count = rows["customer_count_30d"]
    few, many = np.quantile(count, [0.25, 0.75])
    return {
        f"up to {few:g} payments in 30 days": count <= few,
        f"{few:g} to {many:g} payments": (count > few) & (count <= many),
        f"more than {many:g} payments": count > many,
    }
