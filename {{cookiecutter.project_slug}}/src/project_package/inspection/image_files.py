"""Images of a data set in one file, which is mapped into memory: only those in use are read.

Rows are split, drawn and permuted, which copies a column of pixels each time. Theirs has references
instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

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
    """Return the images of a finished data set, (rows, size, size)."""
    images: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    return images


def references(file: Path, hashes: Sequence[str]) -> NDArray[np.object_]:
    """Return references to all images of a file, with their hashes: (rows,)."""
    stored = (StoredImage(name, file, row) for row, name in enumerate(hashes))
    return np.fromiter(stored, object, len(hashes))


def new_images(file: Path, count: int, size: int) -> NDArray[np.uint8]:
    """Create a file of images, (count, size, size), to be written one by one."""
    images: NDArray[np.uint8] = open_memmap(file, "w+", np.uint8, (count, size, size))
    return images


def temporary_images(count: int, size: int) -> NDArray[np.uint8]:
    """Create images, (count, size, size), in a file without a name, which ends with the array."""
    with TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=(count, size, size))


def keep(file: Path, positions: Sequence[int]) -> NDArray[np.uint8]:
    """Remove all other images from a file; return those that are left."""
    images: NDArray[np.uint8] = np.load(file, mmap_mode="r")
    if len(positions) < len(images):
        rest = file.with_suffix(".rest")
        kept = new_images(rest, len(positions), images.shape[1])
        for row, position in enumerate(positions):
            kept[row] = images[position]
        rest.replace(file)
        return kept
    return images
