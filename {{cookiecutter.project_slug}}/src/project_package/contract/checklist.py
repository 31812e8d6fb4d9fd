"""What `ml checklist` needs of a use case."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, length


@dataclass(frozen=True)
class Checklist:
    """The features of a use case, and the groups that it must serve alike."""

    ablations: Callable[[Columns], Iterator[tuple[str, Columns]]]
    """Yield each feature, or group of features that belong together, with rows from which it was
    removed (test rows)."""
    feature_tests: str
    """The tests of the code that computes features: a file in `tests`."""
    feature_modules: tuple[str, ...]
    """That code, as modules of the use case or of the project: `fraud.features`."""
    new_feature_test: str
    """The test that adds a feature by one declaration: `fraud/test_new_column.py`."""
    groups: Callable[[Columns], Mapping[str, NDArray[np.bool_]]]
    """Return groups of people by name (test rows), (rows,) each; where the data is about no people,
    groups that are easily forgotten, such as products that are rarely sold."""
    people: str = ""
    """Whom the groups are of; empty where the data is about no people."""
    time: str = ""
    """The column of rows with their time, in milliseconds since 1970; empty where the split is not
    by time."""


def permuted(rows: Columns, names: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Columns]]:
    """Yield rows in which a feature has the values of other rows, in a fixed random order.

    `names` has the columns of each feature, which keep belonging together.
    """
    order: NDArray[Any] = np.random.default_rng(0).permutation(length(rows))
    for name, columns in names.items():
        yield name, {**rows, **{column: rows[column][order] for column in columns}}
