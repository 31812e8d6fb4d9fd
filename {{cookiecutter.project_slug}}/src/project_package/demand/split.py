"""Split weekly rows by time: the test is the last weeks."""

from pathlib import Path

import numpy as np
import polars as pl

from ..columns import TIMESTAMP, Columns, take
from ..contract.training import Fold, Splits
from ..errors import UserError
from ..features.windows import MILLISECONDS_A_DAY
from .dataset import FEATURES, columns
from .features import WEEK_DAYS
from .params import DemandParams
from .schemas import MIN_HISTORY


def split(params: DemandParams, folder: Path) -> Splits:
    """Split by time: the test is the last weeks, each fold an earlier origin and the weeks after.

    Raises:
        UserError: the data covers too few weeks.
    """
    table = pl.read_parquet(folder / FEATURES)
    rows = columns(table)
    weeks = np.unique(rows[TIMESTAMP])
    sizes = params.split
    needed = sizes.test_weeks + sizes.folds * sizes.fold_weeks + 1
    if len(weeks) < needed:
        raise UserError(
            f"The data covers {min(table['week'].n_unique(), len(weeks) + MIN_HISTORY)} weeks and "
            f"these splits need {needed + MIN_HISTORY}: use more weeks, or lower split.test_weeks, "
            "split.folds or split.fold_weeks."
        )
    test = len(weeks) - sizes.test_weeks
    starts = [test - sizes.fold_weeks * (fold + 1) for fold in range(sizes.folds)]
    final = origin(rows, weeks[test], sizes.test_weeks)
    folds = tuple(origin(rows, weeks[start], sizes.fold_weeks) for start in starts)
    return Splits(train=final.train, folds=folds, test=final.valid)


def origin(rows: Columns, start: int, weeks: int) -> Fold:
    """Return what is known before the timestamp `start`, and the `weeks` from it on."""
    end = start + weeks * WEEK_DAYS * MILLISECONDS_A_DAY
    time = rows[TIMESTAMP]
    return Fold(take(rows, time < start), take(rows, (time >= start) & (time < end)))
