"""What `ml checklist` needs of a use case."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

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
    row_scores: Callable[[Columns, Columns], NDArray[np.float64]] | None = None
    """Score each row among all (test rows, predictions), (rows,): groups and slices are compared by
    their mean where the goal of a part of the rows says something else."""
    requests: Callable[[Path, Columns], Sequence[BaseModel]] | None = None
    """Build requests of test rows (folder, test rows), if `Training.examples` leaves out what the
    model reads."""
    time: str = ""
    """The column of rows with their time, in milliseconds since 1970; empty where the split is not
    by time."""


def permuted(
    rows: Columns, groups: Mapping[str, tuple[str, ...]], inputs: Iterable[str] = ()
) -> Iterator[tuple[str, Columns]]:
    """Yield rows in which features have the values of other rows, in a fixed random order.

    `groups` has the columns that keep belonging together; each other one of `inputs` is alone.
    """
    order: NDArray[Any] = np.random.default_rng(0).permutation(length(rows))
    grouped = {column for columns in groups.values() for column in columns}
    alone = {name: (name,) for name in inputs if name not in grouped}
    for name, columns in {**groups, **alone}.items():
        yield name, {**rows, **{column: rows[column][order] for column in columns}}
