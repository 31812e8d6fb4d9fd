"""Load images, and read them for batches and examples.

A data set is one file:
rows.parquet   image (a grey square, as PNG in base64), name, part, kind of defect, type of part,
               is_defective, visibility where it is known, and copies: the names of near-duplicates
"""

import logging
from pathlib import Path

import numpy as np
import polars as pl

from ..columns import Columns, take
from ..contract.training import Progress
from ..errors import UserError
from . import duplicates
from .images import to_base64, to_pixels
from .params import SIMULATOR, InspectionParams
from .schemas import InspectionRequest
from .simulator import add_defects, simulate
from .sources import GOOD, read_images, read_labels, read_unlabelled

ROWS = "rows.parquet"


log = logging.getLogger(__name__)


def load_data(params: InspectionParams, folder: Path, progress: Progress) -> None:
    """Write scaled images and their table into a new folder.

    Raises:
        UserError: the source cannot be read, a file is not an image, or a class has no image.
    """
    data = params.data
    if data.source == SIMULATOR:
        rows = simulate(data)
    else:
        table = read_labels(Path(data.source)).rename({"path": "name"})
        rows = {column.name: column.to_numpy() for column in table}
        rows |= read_images([*map(Path, rows["name"])], data.size, progress)
        rows["is_defective"] = rows["kind"] != GOOD
        rows["visibility"] = np.full(len(table), np.nan)
        rows = leave_out_unusable(rows, params)
        if data.good_only and not rows["is_defective"].any():
            rows = add_defects(rows, data)
    for name, is_kind in ((GOOD, ~rows["is_defective"]), ("defective", rows["is_defective"])):
        if not is_kind.any():
            kinds = ", ".join(sorted({*rows["kind"].tolist()}))
            raise UserError(
                f"{data.source} has no image that is {name}: its kinds are {kinds}. Good images "
                "are enough with data.good_only = true."
            )
    files = [to_base64(image) for image in rows["image"]]
    pl.DataFrame({**rows, "image": files}).write_parquet(folder / ROWS)


def leave_out_unusable(rows: Columns, params: InspectionParams) -> Columns:
    """Return the rows with images that the model would answer; warn of others."""
    unusable = params.usable.lacking(rows) != ""
    if unusable.any():
        names = ", ".join(rows["name"][unusable][:3].tolist())
        log.warning("%d images are left out as unusable, such as %s", unusable.sum(), names)
    return take(rows, ~unusable)


def find_copies(_: InspectionParams, folder: Path, __: Progress) -> None:
    """Add the column `copies` to the table of a folder; warn of near-duplicates."""
    table = pl.read_parquet(folder / ROWS)
    images = np.stack([to_pixels(text) for text in table["image"].to_list()])
    names = table["name"].to_numpy()
    pairs = duplicates.find_duplicates(images, table["part"].to_numpy())
    if len(pairs):
        log.warning(duplicates.describe(images, names, pairs))
    copies = pl.Series("copies", duplicates.copies(names, pairs))
    table.with_columns(copies).write_parquet(folder / ROWS)


def read_batch(params: InspectionParams, source: Path, _: Path) -> Columns:
    """Read images to predict: see `read_unlabelled`."""
    return read_unlabelled(source, params.data.size)


def examples(_: Path, rows: Columns, count: int) -> list[InspectionRequest]:
    """Build requests from test images, half of them defective, without the names of parts."""
    defective = np.flatnonzero(rows["is_defective"])[: (count + 1) // 2]
    good = np.flatnonzero(~rows["is_defective"])[: count - len(defective)]
    images = rows["image"][np.concatenate([defective, good])]
    return [InspectionRequest(image=image) for image in images]
