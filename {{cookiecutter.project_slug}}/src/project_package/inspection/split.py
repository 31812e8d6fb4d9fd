"""Split images by part."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from ..columns import Columns, take
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import ROWS
from .image_files import IMAGES, references
from .params import InspectionParams


def split(params: InspectionParams, folder: Path) -> Splits:
    """Split at random by part, with nearly the same share of defects everywhere.

    The column `copied` says which images have a near-duplicate among those of training.

    Raises:
        UserError: there are too few parts.
    """
    table = pl.read_parquet(folder / ROWS)
    rows: dict[str, Any] = {column.name: column.to_numpy() for column in table}
    positions = rows.pop("position").tolist()
    rows["image"] = references(folder / IMAGES, table["image"].to_list(), positions)
    every = np.arange(len(table))
    rest, test = next(parts(rows, every, round(1 / params.split.test_share), params.seed))
    training = {*rows["name"][rest]}
    copies = [{*names.splitlines()} for names in rows.pop("copies")]
    rows["copied"] = np.array([bool(training & names) for names in copies])
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
    """Yield rows to fit on and rows to score on, `count` times; parts stay together.

    Raises:
        UserError: there are fewer defective or good parts than `count`.
    """
    labels = rows["is_defective"][among]
    names = rows["part"][among]
    least = min(len(np.unique(names[labels == value])) for value in (False, True))
    if least < count:
        raise UserError(
            f"{least} parts with one label are too few to split them in {count}: add images."
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for first, second in splitter.split(among, labels, names.astype(str)):
        yield among[first], among[second]
