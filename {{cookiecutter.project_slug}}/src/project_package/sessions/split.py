"""Split baskets by time: the test is the last weeks."""

from itertools import pairwise
from pathlib import Path

from ..columns import length
from ..contract.training import Fold, Splits
from ..errors import UserError
from .baskets import FILE, read_baskets
from .dataset import MIN_ROWS, WEEK, before, between
from .params import SessionsParams


def split(params: SessionsParams, folder: Path) -> Splits:
    """Split by time: the test is the newest weeks, each fold an earlier origin and weeks after it.

    Raises:
        UserError: a part has too few baskets, or no household in it has earlier ones.
    """
    everyone = list(read_baskets(folder / FILE))
    sizes = params.split
    newest = max((int(who.times[-1]) for who in everyone), default=0)
    ends = [newest, newest - sizes.test_weeks * WEEK]
    ends += [ends[1] - (fold + 1) * sizes.fold_weeks * WEEK for fold in range(sizes.folds)]
    test, *valid = (between(everyone, start, end) for end, start in pairwise(ends))
    final, *train = (before(everyone, end) for end in ends[1:])
    if (least := min(map(length, (test, *valid, *train)))) < MIN_ROWS:
        raise UserError(
            f"A part of these splits has {least} baskets of the {MIN_ROWS} that it needs: lower "
            "split.test_weeks, split.folds or split.fold_weeks, or use more data."
        )
    if not all(any(map(len, part["baskets"])) for part in (test, *valid)):
        raise UserError(
            "No household of the test, or of a fold, has an earlier basket: their names must stay "
            "the same over time."
        )
    return Splits(train=final, folds=tuple(map(Fold, train, valid)), test=test)
