"""Split payments by time, with the week in which labels arrive."""

from pathlib import Path

import polars as pl

from ..columns import Columns
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import FEATURES_FILE, columns, day, label
from .features import CARD, LABEL_DELAY_DAYS
from .params import FraudParams


def split(params: FraudParams, folder: Path) -> Splits:
    """Split by time: training days, a week in which labels arrive, the weeks of the test.

    Each fold is split in the same way; the last one ends a week before the test. Validation and
    test leave out payments of cards that are known as compromised (Le Borgne et al. 2022).

    Raises:
        UserError: the data covers too few days.
    """
    table = pl.scan_parquet(folder / FEATURES_FILE)
    last = pl.min_horizontal(day.max(), day.filter(label.is_null()).min() - 1)  # labels known
    first, last_day = table.select(day.min().alias("first"), last.alias("last")).collect().row(0)
    test = last_day + 1 - 7 * params.split.test_weeks
    end = test - LABEL_DELAY_DAYS
    starts = [end - 7 * (fold + 1) for fold in range(params.split.folds)]
    earliest = starts[-1] - LABEL_DELAY_DAYS - params.split.train_days
    if earliest < first:
        raise UserError(
            f"The data covers {last_day + 1 - first} days and these splits need "
            f"{last_day + 1 - earliest}: lower split.train_days, split.folds or split.test_weeks."
        )

    def train(end: int) -> Columns:
        days = day.is_between(end - params.split.train_days, end, closed="left")
        return columns(params, table.filter(days).collect())

    def valid(start: int, end: int) -> Columns:
        # A card is known as compromised once a fraud of it is older than the label delay.
        first_fraud = day.filter(label).min().over(CARD)
        unknown = first_fraud.is_null() | (day <= first_fraud + LABEL_DELAY_DAYS)
        two_weeks_more = table.filter(day.is_between(start - 14, end, closed="left"))
        return columns(params, two_weeks_more.filter(unknown).filter(day >= start).collect())

    return Splits(
        train=train(end),
        folds=tuple(
            Fold(train(first - LABEL_DELAY_DAYS), valid(first, first + 7)) for first in starts
        ),
        test=valid(test, last_day + 1),
    )
