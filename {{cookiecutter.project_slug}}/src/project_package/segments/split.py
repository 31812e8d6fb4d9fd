"""Split households: the test is a share of them."""

from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from ..columns import take
from ..contract.training import Fold, Splits
from ..errors import UserError
from .dataset import FEATURES, MIN_HOUSEHOLDS, columns
from .features import HOUSEHOLD
from .params import SegmentsParams


def split(params: SegmentsParams, folder: Path) -> Splits:
    """Split by household: the test is a share of them, the folds are parts of the others.

    A household's part follows from a hash of its name, so it stays when others come and go.

    Raises:
        UserError: the data has too few households.
    """
    rows = columns(pl.read_parquet(folder / FEATURES))
    sizes = params.split
    hashed = np.array([crc32(str(name).encode()) / 2**32 for name in rows[HOUSEHOLD]])
    test = hashed < sizes.test_share
    rest = (hashed - sizes.test_share) / (1 - sizes.test_share)
    part = np.where(test, hashed / sizes.test_share * sizes.test_parts, rest * sizes.folds)
    rows = {**rows, "part": np.floor(part).astype(np.int64)}
    tests = [test & (rows["part"] == number) for number in range(sizes.test_parts)]
    valids = [~test & (rows["part"] == number) for number in range(sizes.folds)]
    if (fewest := min(int(np.sum(mask)) for mask in (*tests, *valids))) < MIN_HOUSEHOLDS:
        raise UserError(
            f"The data has {len(test)} households, and a part of these splits has {fewest} of "
            f"the {MIN_HOUSEHOLDS} that it needs: lower split.test_parts or split.folds, or "
            "use more data."
        )
    folds = tuple(Fold(take(rows, ~test & ~valid), take(rows, valid)) for valid in valids)
    return Splits(train=take(rows, ~test), folds=folds, test=take(rows, test))
