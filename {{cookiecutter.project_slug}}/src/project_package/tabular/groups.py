"""The groups of people that a table's model must serve alike."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from .metrics import slices
from .problem import Problem

PEOPLE = ("age", "gender", "sex", "income", "household_size", "household_comp", "marital_status")
"""Columns about people, as tables name them: add yours."""


def groups(problem: Problem, rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Group by categories, or below and above the median, of columns about people.

    The columns are those of `PEOPLE` that the table has. Of a table without any, the groups are its
    slices.
    """
    masks: dict[str, NDArray[np.bool_]] = {}
    for name in PEOPLE:
        if name in problem.categories:
            values = sorted({*rows[name].tolist()})
            masks |= {f"{name} {one or 'unknown'}": rows[name] == one for one in values}
        elif name in problem.numbers:
            middle = np.nanmedian(rows[name])
            masks[f"{name} up to {middle:g}"] = rows[name] <= middle
            masks[f"{name} above {middle:g}"] = rows[name] > middle
            masks[f"{name} unknown"] = np.isnan(rows[name])
    return masks or slices(problem, rows)
