"""Load images, and read them for batches and examples.

A data set is two files:
images.npy     grey squares, (rows, size, size)
rows.parquet   image (the SHA-256 of its pixels), position in images.npy, name, part, kind of
               defect, type of part, is_defective, side of the file and visibility where they are
               known, and copies: the names of near-duplicates
"""

import logging
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..columns import Columns, length, take
from ..contract.training import Progress
from ..errors import UserError
from . import duplicates
from .image_files import IMAGES, leave_only, new_images
from .params import SIMULATOR, InspectionParams
from .schemas import InspectionRequest
from .simulator import VIEWS, add_defects, simulate
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
        images = new_images(folder / IMAGES, data.images(VIEWS * data.parts), data.size)
        rows = simulate(data, images)
        rows = {**rows, "position": np.arange(VIEWS * data.parts)}
    else:
        table = read_labels(Path(data.source)).rename({"path": "name"})
        rows = {column.name: column.to_numpy() for column in table}
        images = new_images(folder / IMAGES, data.images(len(table)), data.size)
        rows["side"] = read_images([*map(Path, rows["name"])], images, progress)
        rows["position"] = np.arange(len(table))
        rows["is_defective"] = rows["kind"] != GOOD
        rows["visibility"] = np.full(len(table), np.nan)
        rows = leave_out_unusable(rows, images, params)
    if rows["is_defective"].all():
        raise UserError(f"{data.source} has no good image that is usable: see [usable].")
    if not rows["is_defective"].any():
        if not data.good_only:
            kinds = ", ".join(sorted({*rows["kind"].tolist()}))
            raise UserError(
                f"{data.source} has no image that is defective: its kinds are {kinds}. Good images "
                "are enough with data.good_only = true."
            )
        rows = add_defects(rows, images, data)
    hashes = [sha256(images[position]).hexdigest() for position in rows["position"]]
    pl.DataFrame({**rows, "image": hashes}).write_parquet(folder / ROWS)


def leave_out_unusable(
    rows: Columns, images: NDArray[np.uint8], params: InspectionParams
) -> Columns:
    """Return the rows with images that the model would answer; warn of others."""
    below = params.usable.below({**rows, "image": images[: length(rows)]})
    if any(below):
        few = [f"{name} ({why})" for name, why in zip(rows["name"], below, strict=True) if why][:3]
        message = "%d images are below a limit of [usable] and left out, such as %s"
        log.warning(message, np.sum(below != ""), ", ".join(few))
    return take(rows, below == "")


def find_copies(_: InspectionParams, folder: Path, *__: object) -> None:
    """Add the column `copies` to the table of a folder; warn of near-duplicates.

    Images that no row has, as of erased parts, are removed.

    Raises:
        UserError: all parts are erased.
    """
    table = pl.read_parquet(folder / ROWS)
    if table.is_empty():
        raise UserError("All parts are erased: no image is left.")
    images = leave_only(folder / IMAGES, table["position"].to_list())
    names = table["name"].to_numpy()
    pairs = duplicates.find_duplicates(images, table.select("image", "part"))
    if len(pairs):
        log.warning(duplicates.describe(table, pairs))
    copies = pl.Series("copies", duplicates.copies(names, pairs))
    position = pl.int_range(pl.len()).alias("position")
    table.with_columns(position, copies).write_parquet(folder / ROWS)


def read_batch(params: InspectionParams, source: Path, folder: Path) -> Columns:
    """Read images to predict: see `read_unlabelled`."""
    return read_unlabelled(source, params.data.size, folder.parent)


def examples(_: Path, rows: Columns, count: int) -> list[InspectionRequest]:
    """Build requests from test images, half of them defective, without the names of parts."""
    defective = np.flatnonzero(rows["is_defective"])[: (count + 1) // 2]
    good = np.flatnonzero(~rows["is_defective"])[: count - len(defective)]
    images = rows["image"][np.concatenate([defective, good])]
    return [InspectionRequest(image=image) for image in images]
