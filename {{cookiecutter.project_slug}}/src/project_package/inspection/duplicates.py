"""Find photos that are stored under two parts: in training and test at once, they flatter scores.

Thumbnails are compared without what all photos share, such as the wires of every solar cell: their
first principal components (the eigenfaces of Turk and Pentland, 1991). The rest of a copy that was
compressed, resized, brightened or moved by a pixel correlates by .92 or more; that of two simulated
plates by .48 at most. A perceptual hash does not separate these: of 3.4 million pairs of different
solar cells, 29,000 differ in at most 12 of its 64 bits.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA

SIDE = 32  # of a thumbnail, in pixels
SHARED = 32  # principal components that are left out
ALIKE = 0.9  # correlation of near-duplicates
SHIFTS = ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1))  # with each pair in both orders, all of a pixel
ROWS_AT_ONCE = 1_000
SHOWN = 3  # pairs that the warning names


def find_duplicates(images: NDArray[np.uint8], parts: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the pairs of near-duplicates of different parts, in order: (pairs, 2) row numbers."""
    plain = thumbnails(images)
    shared = PCA(max(1, min(SHARED, len(images) // 20)), svd_solver="randomized", random_state=0)
    shared.fit(plain)
    details = residual(shared, plain)
    pairs = [np.empty((0, 2), np.int64)]
    for shift in SHIFTS:
        shifted = residual(shared, thumbnails(np.roll(images, shift, (1, 2)))).T
        for start in range(0, len(images), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            pairs.append(np.argwhere(details[rows] @ shifted >= ALIKE) + np.array([start, 0]))
    alike = np.unique(np.sort(np.concatenate(pairs)), axis=0)
    between_parts: NDArray[np.int64] = alike[parts[alike[:, 0]] != parts[alike[:, 1]]]
    return between_parts


def thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return small images with mean 0 and length 1, (rows, pixels): light does not count."""
    size = (SIDE, SIDE)
    box = Image.Resampling.BOX
    small = np.stack([np.asarray(Image.fromarray(image).resize(size, box)) for image in images])
    return unit(small.reshape(len(small), -1).astype(np.float32))


def residual(shared: PCA, plain: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return thumbnails without the principal components, with length 1."""
    return unit(plain - shared.inverse_transform(shared.transform(plain)))


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows with mean 0 and length 1; one without any contrast becomes 0."""
    centred = rows - rows.mean(1, keepdims=True)
    scaled: NDArray[np.float32] = centred / (np.linalg.norm(centred, axis=1, keepdims=True) + 1e-6)
    return scaled


def describe(
    images: NDArray[np.uint8], names: NDArray[np.object_], pairs: NDArray[np.int64]
) -> str:
    """Report how many pairs there are, the first of them, and what to do."""
    exact = sum(np.array_equal(images[a], images[b]) for a, b in pairs)
    first = "; ".join(f"{names[a]} and {names[b]}" for a, b in pairs[:SHOWN])
    return (
        f"Pairs of images of different parts: {exact:,} equal, {len(pairs) - exact:,} nearly, such "
        f"as {first}. In training and test at once they make scores too good: remove one of each, "
        "or name one part for both in a CSV file. The column copies of rows.parquet has all."
    )


def copies(names: NDArray[np.object_], pairs: NDArray[np.int64]) -> list[str]:
    """Return the names of the near-duplicates of each image, one a line."""
    copies_of: list[list[str]] = [[] for _ in names]
    for a, b in pairs:
        copies_of[a].append(names[b])
        copies_of[b].append(names[a])
    return ["\n".join(others) for others in copies_of]
