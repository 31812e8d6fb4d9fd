"""Load images, and split them by part.

A data set is one file:
rows.parquet   image (a grey square, as PNG in base64), name, part, kind of defect, type of part,
               is_defective, visibility where it is known, and copies: the names of near-duplicates
"""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field
from sklearn.model_selection import StratifiedGroupKFold

from ..contract import Columns, Frozen, take
from ..errors import UserError
from ..params import Params, Promote
from ..training import Fold, Progress, Splits
from . import duplicates
from .elpv import ELPV, read_elpv
from .images import to_base64, to_pixels
from .schemas import InspectionRequest
from .simulator import Simulated, simulate
from .sources import GOOD, read_images, read_labels, read_unlabelled

ROWS = "rows.parquet"
SIMULATOR = "simulator"
log = logging.getLogger(__name__)


class Data(Simulated):
    """Where images come from, and how many are simulated when there is no source."""

    source: str = Field(
        default=SIMULATOR,
        description="simulator, elpv, a folder with a folder per class, or a CSV file",
    )


class Split(Frozen):
    """How images are split; those of a part stay together."""

    test_share: float = Field(
        default=0.25,
        gt=0,
        le=0.5,
        description="of the parts, for the test: 1/2, 1/3, 1/4 and so on",
    )
    folds: int = Field(default=1, ge=1, le=5, description="of the others, for the search")


class Network(Frozen):
    """How long the convolutional network is trained."""

    epochs: int = Field(default=30, ge=1, description="at most")
    patience: int = Field(
        default=8,
        ge=1,
        description="epochs without progress until it stops, counted after as many first epochs",
    )
    batch: int = Field(default=32, ge=1, description="images of a step")
    backbone: str = Field(
        default="", description="file of a Keras model whose features replace the convolutions"
    )


class Decide(Frozen):
    """What decisions cost."""

    false_alarm: float = Field(default=1, gt=0, description="cost of a good part that is rejected")
    missed: float = Field(default=5, gt=0, description="cost of a defect that is not found")


class InspectionParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
    network: Network = Network()
    decide: Decide = Decide()
    promote: Promote = Promote(min_parity_rows=100, max_difference=1e-4)


def load_data(params: InspectionParams, folder: Path, progress: Progress) -> None:
    """Write scaled images and their table into a new folder; warn of near-duplicates.

    Raises:
        UserError: the source cannot be read, a file is not an image, or a class has no image.
    """
    data = params.data
    if data.source == SIMULATOR:
        rows = simulate(data)
    else:
        table = read_elpv() if data.source == ELPV else read_labels(Path(data.source))
        rows = {c.name: c.to_numpy() for c in table.rename({"path": "name"})}
        rows["image"] = read_images([*map(Path, rows["name"])], data.size, progress)
        rows["is_defective"] = rows["kind"] != GOOD
        rows["visibility"] = np.full(len(table), np.nan)
    for name, found in ((GOOD, ~rows["is_defective"]), ("defective", rows["is_defective"])):
        if not found.any():
            kinds = ", ".join(sorted({*rows["kind"].tolist()}))
            raise UserError(f"{data.source} has no image that is {name}: its kinds are {kinds}.")
    pairs = duplicates.find(rows["image"], rows["part"])
    if len(pairs):
        log.warning(duplicates.describe(rows["image"], rows["name"], pairs))
    files = [to_base64(image) for image in rows["image"]]
    copies = duplicates.copies(rows["name"], pairs)
    pl.DataFrame({**rows, "image": files, "copies": copies}).write_parquet(folder / ROWS)


def split(params: InspectionParams, folder: Path) -> Splits:
    """Split at random by part, with nearly the same share of defects everywhere.

    The column `copied` says which images have a near-duplicate among those of training.

    Raises:
        UserError: there are too few parts.
    """
    table = pl.read_parquet(folder / ROWS)
    rows: dict[str, Any] = {column.name: column.to_numpy() for column in table}
    rows["image"] = np.stack([to_pixels(text) for text in table["image"].to_list()])
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
    labels, names = rows["is_defective"][among], rows["part"][among]
    least = min(len(np.unique(names[labels == value])) for value in (False, True))
    if least < count:
        raise UserError(
            f"{least} parts with one label are too few to split them in {count}: add images."
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for first, second in splitter.split(among, labels, names.astype(str)):
        yield among[first], among[second]


def read_batch(params: InspectionParams, source: Path, _: Path) -> Columns:
    """Read images to predict: see `read_unlabelled`."""
    return read_unlabelled(source, params.data.size)


def examples(_: Path, rows: Columns, count: int) -> list[InspectionRequest]:
    """Build requests from test images, half of them defective, without the names of parts."""
    defective = np.flatnonzero(rows["is_defective"])[: (count + 1) // 2]
    good = np.flatnonzero(~rows["is_defective"])[: count - len(defective)]
    images = rows["image"][np.concatenate([defective, good])]
    return [InspectionRequest(image=image) for image in images]
