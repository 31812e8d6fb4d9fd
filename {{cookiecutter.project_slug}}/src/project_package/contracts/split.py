"""Split clauses by owner."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from ..columns import Columns, take
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import read_rows
from .params import ContractsParams


def split(params: ContractsParams, folder: Path) -> Splits:
    """Split at random by owner.

    A stratified split would put the largest owners into the test whatever the seed is.

    Raises:
        UserError: there are too few owners.
    """
    rows = read_rows(folder)
    every = np.arange(len(rows["text"]))
    rest, test = next(parts(rows, every, round(1 / params.split.test_share), params.seed))
    folds = parts(rows, rest, max(4, params.split.folds), params.seed)
    return Splits(
        train=take(rows, rest),
        folds=tuple(
            Fold(take(rows, fit), take(rows, score))
            for fit, score in islice(folds, params.split.folds)
        ),
        test=take(rows, test),
    )


def parts(
    rows: Columns, among: NDArray[Any], count: int, seed: int
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield rows to fit on and rows to score on, `count` times; an owner's stay together.

    Raises:
        UserError: there are too few owners, or a type would not be among the rows to fit on.
    """
    owners = rows["owner"][among].astype(str)
    if len(np.unique(owners)) < count:
        raise UserError(
            f"{len(np.unique(owners))} owners are too few to split them in {count}: add clauses of "
            "others, with a column `owner` or `document`."
        )
    types, kinds = np.unique(rows["type"][among].astype(str), return_inverse=True)
    splitter = GroupKFold(count, shuffle=True, random_state=seed)
    for first, second in splitter.split(among, groups=owners):
        if missing := {*range(len(types))} - {*kinds[first].tolist()}:
            raise UserError(
                f"Too few owners have clauses of {types[min(missing)]} for training, validation "
                "and test: add clauses of others, or leave the type out."
            )
        yield among[first], among[second]
