"""The groups of people that a table's model must serve alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from .problem import Problem

PEOPLE = ("age", "gender", "sex", "income", "household_size", "household_comp", "marital_status")
"""Columns about people, as tables name them, in capitals or not: add yours."""
CODES = 10
"""Numbers with so many different values at most are names of groups."""


def groups(problem: Problem, rows: Columns) -> Mapping[str, NDArray[np.bool_]]:
    """Group by the columns of `PEOPLE`, or else by all numbers and categories of the table."""
    known = [name for name in problem.features if name.casefold() in PEOPLE]
    masks: dict[str, NDArray[np.bool_]] = {}
    for name in known or (*problem.numbers, *problem.categories):
        masks |= {f"{name} {group}": mask for group, mask in by_value(rows[name]).items()}
    return masks


def by_value(values: NDArray[Any]) -> Mapping[str, NDArray[np.bool_]]:
    """Group by value, of many numbers by whether they are above the median: (rows,) each."""
    is_missing = values == "" if values.dtype == object else np.isnan(values)
    known = np.unique(values[~is_missing])
    if values.dtype == object or len(known) <= CODES:
        found = {str(value): values == value for value in known.tolist()}
    else:
        middle = np.median(values[~is_missing])
        found = {f"up to {middle:g}": values <= middle, f"above {middle:g}": values > middle}
    return {**found, "unknown": is_missing}
