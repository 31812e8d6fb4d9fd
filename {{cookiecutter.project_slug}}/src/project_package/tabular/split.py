"""Split the rows: by time, by group, or at random; the test is never touched by the search."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ..columns import Columns, take
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import read_columns, stored_rows
from .date_parts import DAY
from .params import TabularParams
from .problem import Problem

Values: TypeAlias = NDArray[Any]
Part: TypeAlias = tuple[Values, Values]  # rows to fit on and rows to score on: masks or indices


def split(problem: Problem, params: TabularParams, folder: Path) -> Splits:
    """Split by time, by group, or at random with equal shares of classes; or raise UserError."""
    table = stored_rows(problem, folder)
    blank = table[problem.target].null_count()
    if blank > params.data.max_blank * len(table):
        raise UserError(
            f"{blank:,} of {len(table):,} rows have no {problem.target}, a larger share than "
            "data.max_blank allows: leave them out of the source, or raise it."
        )
    rows = read_columns(problem, table.drop_nulls(problem.target), table, params.split.gap_days)
    parts = by_time if problem.column_of("time") else at_random
    test, *folds = (Fold(take(rows, t), take(rows, v)) for t, v in parts(problem, params, rows))
    for part in (p for fold in (test, *folds) for p in (fold.train, fold.valid)):
        for code, name in enumerate(problem.classes):
            if not np.any(part[problem.target] == code):
                raise UserError(
                    f'A part of the split has no row of the class "{name}": use more rows, lower '
                    "split.folds, or merge rare classes: `ml schema --merge-rare`."
                )
    return Splits(train=test.train, folds=tuple(folds), test=test.valid)


def raw_test_rows(problem: Problem, params: TabularParams, folder: Path) -> pl.DataFrame:
    """Return the test rows as the data set has them."""
    table = stored_rows(problem, folder)
    labelled = table.drop_nulls(problem.target)
    rows = read_columns(problem, labelled, table, params.split.gap_days)
    parts = by_time if problem.column_of("time") else at_random
    _, test = next(iter(parts(problem, params, rows)))
    return labelled[np.flatnonzero(test) if test.dtype == bool else test]


def by_time(problem: Problem, params: TabularParams, rows: Columns) -> Iterator[Part]:
    """Yield the rows to fit on and the later rows to score on: for the test, then for each fold.

    Rows of one time stay together. Folds have rolling origins (Tashman 2000): each fits on the rows
    before its origin and scores all from there to the test, as many as the test has at most. Half
    of the rows before the test, or more, come before the first origin. Few times give fewer folds.
    """
    sizes = params.split
    moments = rows[problem.column_of("time")]
    times, code, counts = np.unique(moments, return_inverse=True, return_counts=True)
    earlier = (np.cumsum(counts) - counts) / len(moments)  # share of the rows before each time
    test = min(int(np.searchsorted(earlier, 1 - sizes.test_share - 1e-9)), len(times) - 1)
    scored = min(1 - earlier[test], earlier[test] / 2)
    shares = earlier[test] - scored * np.arange(sizes.folds, 0, -1) / sizes.folds
    origins = np.unique(np.searchsorted(earlier, shares - 1e-9))
    origins = origins[origins < test]
    for origin, end in ((test, len(times)), *((origin, test) for origin in origins)):
        train = known_before(moments, times[origin], sizes.gap_days)
        if not (len(origins) and train.any()):
            raise UserError(
                f"The table has {len(times)} different times, too few for this split: lower "
                "split.folds, split.test_share or split.gap_days, or give the column another role."
            )
        yield train, (code >= origin) & (code < end)


def known_before(moments: Values, begin: float, gap_days: float) -> NDArray[np.bool_]:
    """Return which rows, (rows,), are earlier than a time and not in the gap before it."""
    return (moments < begin) & (moments <= begin - gap_days * DAY)


def at_random(problem: Problem, params: TabularParams, rows: Columns) -> Iterator[Part]:
    """Yield the rows to fit on and the others to score on: for the test, then for each fold.

    Rows of a group stay together, and classes have nearly the same share in each part.
    """
    sizes = params.split
    target = rows[problem.target]
    group = problem.column_of("group")
    labels = target if problem.classes else np.zeros(len(target), np.int64)
    kind = StratifiedGroupKFold if group else StratifiedKFold

    def split_into(parts: int, among: Values, advice: str) -> Iterator[tuple[Values, Values]]:
        present, counts = np.unique(labels[among], return_counts=True)
        least = int(counts.min())
        group_count = len(np.unique(rows[group][among])) if group else least
        what = "rows"
        if group_count < least:
            least = group_count
            what = "groups"
        elif problem.classes:
            what = f'rows of "{problem.classes[present[counts.argmin()]]}"'
            advice = f"{advice}, or merge rare classes: `ml schema --merge-rare`"
        if least < parts:
            raise UserError(
                f"This split needs {parts} {what}, and there are {least}: use more rows, {advice}."
            )
        splitter = kind(parts, shuffle=True, random_state=params.seed)
        groups = rows[group][among] if group else None
        for first, second in splitter.split(among, labels[among], groups):
            yield among[first], among[second]

    count = round(1 / sizes.test_share)
    rest, test = next(split_into(count, np.arange(len(target)), "raise split.test_share"))
    yield rest, test
    yield from islice(split_into(max(2, sizes.folds), rest, "lower split.folds"), sizes.folds)
