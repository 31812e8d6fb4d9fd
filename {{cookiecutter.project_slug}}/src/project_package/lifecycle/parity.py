"""Parity: the exported graph must answer as the model it was made from."""

import numpy as np

from ..bundle import Parity
from ..contract import Columns, length
from .gate import Verdict


def compare(graph: Columns, original: Columns, decisions: tuple[Columns, Columns]) -> Parity:
    """Compare outputs, and the decisions that follow from each, row by row.

    A decision is any prediction that is not a floating-point number.
    """
    largest = max(
        float(np.max(np.abs(graph[name].astype(np.float64) - values.astype(np.float64))))
        for name, values in original.items()
    )
    mine, theirs = decisions
    changed = sum(
        int(np.sum(values != theirs[name]))
        for name, values in mine.items()
        if values.ndim == 1 and not np.issubdtype(values.dtype, np.floating)
    )
    return Parity(rows=length(graph), largest_difference=largest, changed_decisions=changed)


def verdict(parity: Parity, limit: float) -> Verdict:
    """Demand a difference under the limit and no changed decision."""
    return Verdict(
        "parity",
        parity.largest_difference < limit and parity.changed_decisions == 0,
        f"largest difference {parity.largest_difference:.1e} of {limit:.0e} on {parity.rows:,} "
        f"rows, {parity.changed_decisions} decisions changed",
    )
