"""Images of a data set in one file, which is mapped into memory: only those in use are read.

To split or shuffle rows copies each column. So the column `image` has references instead of pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from ..errors import UserError

IMAGES = "images.npy"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A reference to an image; its text depends on the pixels alone, as digests of rows require."""

    sha256: str
    file: Path = field(repr=False, compare=False)
    position: int = field(repr=False, compare=False)

    def pixels(self) -> NDArray[np.uint8]:
        """Read the image, (size, size)."""
        return np.array(open_images(self.file)[self.position])


@lru_cache(maxsize=4)
def open_images(file: Path) -> NDArray[np.uint8]:
    """Return the images of a finished data set, which never changes: (rows, size, size)."""
    if not file.exists():  # a data set of an earlier version of the project
        raise UserError(f"{file} is missing: run `ml data` again.")
    images: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    return images


def references(file: Path, hashes: Sequence[str], positions: Sequence[int]) -> NDArray[np.object_]:
    """Return references to images of a file, with their hashes: (rows,)."""
    stored = map(StoredImage, hashes, repeat(file), positions)
    return np.fromiter(stored, object, len(hashes))


def new_images(file: Path, count: int, size: int) -> NDArray[np.uint8]:
    """Create a file of black images, (count, size, size), to be changed one by one.

    Its blocks are written now: if the disk were full later, a change of the mapped file would end
    the process without a message.
    """
    shape = (count, size, size)
    with file.open("wb") as opened:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        write_array_header_1_0(opened, header)
        fill(opened, shape)
    images: NDArray[np.uint8] = np.load(file, mmap_mode="r+")
    return images


def temporary_images(folder: Path, count: int, size: int) -> NDArray[np.uint8]:
    """Create black images as `new_images` does, in a file that is deleted with the array."""
    shape = (count, size, size)
    with TemporaryFile(dir=folder) as file:
        fill(file, shape)
        return np.memmap(file, np.uint8, "r+", shape=shape)


def fill(file: BinaryIO, shape: tuple[int, int, int]) -> None:
    """Append black images to a file."""
    file.writelines(bytes(shape[1] * shape[2]) for _ in range(shape[0]))
    file.flush()


def leave_only(file: Path, positions: Sequence[int]) -> NDArray[np.uint8]:
    """Remove the images at other positions from a file; return those that are left."""
    images: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    if [*positions] == [*range(len(images))]:
        return images
    rest = file.with_suffix(".rest")
    left = new_images(rest, len(positions), images.shape[1])
    for row, position in enumerate(positions):
        left[row] = images[position]
    rest.replace(file)
    return left
