"""Read images of folders and tables, to train on or to predict."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..columns import Columns
from ..contract.training import Progress
from ..errors import UserError, suggest
from .image_files import temporary_images
from .images import to_scaled

GOOD = "good"
SUFFIXES = (".png", ".jpg", ".jpeg")


def read_labels(source: Path) -> pl.DataFrame:
    """Return path, kind ("good", or that of a defect), part and type of each image.

    Raises:
        UserError: the source cannot be read, has no good image, or lacks a column or a value.
    """
    if source.is_dir():
        paths = [p for p in images_in(source) if p.parent != source]
        kinds = [kind_of(path.relative_to(source).parts[0]) for path in paths]
        if GOOD not in kinds:
            known = suggest(GOOD, dict.fromkeys(kinds))
            raise UserError(f"{source} has no folder {GOOD} with PNG or JPEG images; {known}")
        names = [str(path) for path in paths]
        return pl.DataFrame({"path": names, "kind": kinds, "part": names, "type": ""})
    table = read_rows(source)
    names = [str(path) for path in paths_of(table, source)]
    if len({*names}) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{source} has the path {twice} twice: an image has one row.")
    kinds = [kind_of(kind) for kind in values_of(table, "kind", source)]
    empty = [""] * len(names)
    parts, types = (table[n] if n in table.columns else empty for n in ("part", "type"))
    parts = [part or name for part, name in zip(parts, names, strict=True)]
    return pl.DataFrame({"path": names, "kind": kinds, "part": parts, "type": types})


def kind_of(text: str) -> str:
    """Return a kind; good may have capitals."""
    return GOOD if text.lower() == GOOD else text


def images_in(folder: Path) -> list[Path]:
    """Return the PNG and JPEG files of a folder and of the folders in it, by name."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def read_rows(source: Path) -> pl.DataFrame:
    """Read a CSV or Parquet file, with all values but files as text; a missing one is empty.

    Raises:
        UserError: there is no such file, it cannot be read, or it has no rows.
    """
    if not source.exists():
        raise UserError(f"There is no file or folder {source}.")
    try:
        if source.suffix == ".parquet":
            table = pl.read_parquet(source)
        else:
            table = pl.read_csv(source, infer_schema=False)
        text = pl.exclude(pl.Binary).cast(pl.String).str.strip_chars().fill_null("")
        table = table.with_columns(text)
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{source} is not a readable CSV or Parquet file: {reason}.") from error
    if table.is_empty():
        raise UserError(f"{source} has no rows.")
    return table


def values_of(table: pl.DataFrame, name: str, source: Path) -> list[str]:
    """Return a column; raise UserError when it or a value is missing."""
    if name not in table.columns:
        raise UserError(f"{source} has no column {name}; {suggest(name, table.columns)}")
    values = table[name].to_list()
    if "" in values:
        raise UserError(f"Row {values.index('') + 1} of {source} has no {name}.")
    return values


def paths_of(table: pl.DataFrame, source: Path) -> list[Path]:
    """Return the paths of images, which are relative to the file that names them."""
    return [source.parent / path for path in values_of(table, "path", source)]


def read_images(
    files: Sequence[Path | str | bytes],
    images: NDArray[np.uint8],
    progress: Progress = lambda _: None,
) -> NDArray[np.int64]:
    """Read images, files at a path or their content, and scale them into `images`.

    Returns:
        The sides before, (files,).

    Raises:
        UserError: one cannot be read, or is not an image.
    """
    sides = np.empty(len(files), np.int64)
    for number, file in enumerate(files):
        name = file if isinstance(file, Path) else f"The image in row {number + 1}"
        try:
            content = file.read_bytes() if isinstance(file, Path) else file
            images[number], sides[number] = to_scaled(content, images.shape[1])
        except OSError as error:
            raise UserError(f"{name} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise UserError(f"{name} {error}.") from error
        progress(number / len(files))
    return sides


def read_unlabelled(source: Path, size: int, scratch: Path) -> Columns:
    """Read images to predict: one file, those of a folder, or those of a table.

    A Parquet or CSV file has a column `path`, or `image` with files in base64; and `name` and
    `part`, if they are known. The scaled images are in a temporary file in `scratch`.

    Raises:
        UserError: the source cannot be read, or a file is not an image.
    """
    files: Sequence[Any]
    if source.is_dir():
        table = pl.DataFrame()
        files = images_in(source)
    elif source.suffix.lower() in SUFFIXES:
        table = pl.DataFrame()
        files = [source]
    else:
        table = read_rows(source)
        files = table["image"].to_list() if "image" in table.columns else paths_of(table, source)
    if not files:
        raise UserError(f"{source} has no images: PNG and JPEG files are read.")
    names = [str(f) if isinstance(f, Path) else f"image {n}" for n, f in enumerate(files, 1)]
    columns = (table[n] if n in table.columns else names for n in ("name", "part"))
    name, part = (np.array([*values], object) for values in columns)
    images = temporary_images(scratch, len(files), size)
    return {"image": images, "side": read_images(files, images), "name": name, "part": part}
