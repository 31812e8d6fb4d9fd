"""Split payments by time, with the week in which labels arrive."""

from datetime import timedelta
from pathlib import Path

import polars as pl

from ..columns import EPOCH, Columns
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import DELAY, FEATURES_FILE, columns, day, label, time
from .features import CARD, LABEL_DELAY_DAYS
from .params import FraudParams


def split(params: FraudParams, folder: Path) -> Splits:
    """Split by time: training days, a week in which labels arrive, the weeks of the test.

    Each fold is split in the same way; the last one ends a week before the test. Validation and
    test leave out payments of cards that are known as compromised (Le Borgne et al. 2022). Payments
    without a label are left out; the test ends with the last day on which labels are known.

    Raises:
        UserError: the data covers too few days, or a part has no fraud.
    """
    table = pl.scan_parquet(folder / FEATURES_FILE)
    blank = label.is_null()
    most_known = blank.mean().over(day) <= params.data.max_blank
    arriving = day.filter(blank & (time > time.max() - DELAY)).min()
    last = pl.min_horizontal(day.filter(most_known).max(), arriving - 1)
    first, last_day = table.select(day.min().alias("first"), last.alias("last")).collect().row(0)
    test = last_day + 1 - 7 * params.split.test_weeks
    end = test - LABEL_DELAY_DAYS
    starts = [end - 7 * (fold + 1) for fold in range(params.split.folds)]
    earliest = starts[-1] - LABEL_DELAY_DAYS - params.split.train_days
    if earliest < first:
        raise UserError(
            f"The data covers {last_day + 1 - first} days with labels and these splits need "
            f"{last_day + 1 - earliest}: use more days, or lower split.train_days, split.folds or "
            "split.test_weeks."
        )

    def train(end: int) -> Columns:
        days = range(end - params.split.train_days, end, params.split.train_days)
        return labelled(params, table, days)

    def valid(start: int, end: int) -> Columns:
        # A card is known as compromised once a fraud of it is older than the label delay.
        first_fraud = day.filter(label).min().over(CARD)
        unknown = first_fraud.is_null() | (day <= first_fraud + LABEL_DELAY_DAYS)
        two_weeks_more = table.filter(day.is_between(start - 14, end, closed="left"))
        return labelled(params, two_weeks_more.filter(unknown), range(start, end, 7))

    return Splits(
        train=train(end),
        folds=tuple(
            Fold(train(first - LABEL_DELAY_DAYS), valid(first, first + 7)) for first in starts
        ),
        test=valid(test, last_day + 1),
    )


def labelled(params: FraudParams, payments: pl.LazyFrame, days: range) -> Columns:
    """Return the payments of `days` that have a label; `unlabelled` is the number of the others.

    Raises:
        UserError: from one of `days` to the next, there are no frauds or only frauds.
    """
    table = payments.filter(day.is_between(days.start, days.stop, closed="left")).collect()
    known = table.drop_nulls("is_fraud")
    for first in days:
        part = known.filter(day.is_between(first, first + days.step - 1))["is_fraud"]
        if part.n_unique() < 2:
            raise UserError(
                f"The {days.step} days from {EPOCH + timedelta(first):%Y-%m-%d} have {len(part):,} "
                f"payments with a label, {part.sum():,} of them frauds, and need both kinds: use "
                "more data, or change split.train_days, split.folds or split.test_weeks."
            )
    return columns(params, known.with_columns(unlabelled=len(table) - len(known)))
