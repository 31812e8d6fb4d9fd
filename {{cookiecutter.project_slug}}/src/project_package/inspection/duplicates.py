"""Find photos that are stored under two parts: in training and test at once, they flatter scores.

Thumbnails are compared without what all photos share, such as the wires of every solar cell: their
first principal components (the eigenfaces of Turk and Pentland, 1991). The rest of a copy that was
compressed, resized, brightened or moved by a pixel correlates by .92 or more; that of two simulated
plates by .48 at most. A perceptual hash does not separate these: of 3.4 million pairs of different
solar cells, 29,000 differ in at most 12 of its 64 bits.

Only pairs that `hashing` finds are compared, so that time grows about as the different images.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from sklearn.decomposition import PCA

from .hashing import Codes, Hashing

Vectors = NDArray[np.float32]
SIDE = 32  # of a thumbnail, in pixels
SHARED = 32  # principal components that are left out
ALIKE = 0.9  # correlation of near-duplicates
FITTED = 10_000  # images, at most, to which the components are fitted
SHIFTS = ((0, 0), (0, 1), (1, 0), (1, 1), (1, -1))  # with each pair in both orders, all of a pixel
AT_ONCE = 1_000  # images or pairs
SHOWN = 3  # pairs that the warning names


def find_duplicates(images: NDArray[np.uint8], rows: pl.DataFrame) -> NDArray[np.int64]:
    """Return the pairs of near-duplicates of different parts, in order: (pairs, 2) row numbers.

    Args:
        images: (rows, size, size), which are read a thousand at a time: they can be in a file.
        rows: the columns `image`, a hash of the pixels, and `part`.

    Of equal images, one is compared. Of pairs with a correlation of .9, half a percent is missed by
    chance: see `hashing`.
    """
    row = pl.col("row").cast(pl.Int64)
    first = row.min().over("image")
    every = rows.with_row_index("row").select(row, "part", first=first)
    parts = pl.col("part").n_unique().over("first")
    group = (
        pl.when(parts == 1).then(pl.col("part").rank("dense").cast(pl.Int64)).otherwise(-1 - row)
    )
    once = every.with_columns(group=group).filter(row == pl.col("first"))
    compared, groups = (once[name].to_numpy() for name in ("row", "group"))
    equal = np.stack([compared, compared], axis=1)
    alike = np.concatenate([equal, similar(images, compared, groups)])
    left = every.join(pl.DataFrame(alike, ["first", "second"], orient="row"), "first")
    pairs = left.join(every, left_on="second", right_on="first")
    pairs = pairs.filter(pl.col("part") != pl.col("part_right"))
    return np.unique(np.sort(pairs.select("row", "row_right").to_numpy()), axis=0)


def similar(
    images: NDArray[np.uint8], rows: NDArray[np.int64], groups: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the pairs of similar images of different groups, of some rows: (pairs, 2)."""
    if len(rows) < 2:
        return np.empty((0, 2), np.int64)
    fitted = np.unique(np.linspace(0, len(rows) - 1, FITTED, dtype=int))
    shared = PCA(max(1, min(SHARED, len(rows) // 20)), svd_solver="randomized", random_state=0)
    shared.fit(thumbnails(images[row] for row in rows[fitted]))
    hashing = Hashing.draw(len(rows), SIDE**2, ALIKE)

    def details(chosen: NDArray[np.int64], shift: tuple[int, int]) -> Vectors:
        return residual(shared, thumbnails(np.roll(images[rows[chosen]], shift, (1, 2))))

    def hashed(shift: tuple[int, int]) -> tuple[NDArray[np.int64], Codes]:
        codes = hashing.new_codes(len(rows))
        with_detail = np.empty(0, np.int64)
        for chosen in in_parts(np.arange(len(rows))):
            vectors = details(chosen, shift)
            is_kept = np.linalg.norm(vectors, axis=1) >= ALIKE  # without detail, it is like none
            start = len(with_detail)
            with_detail = np.concatenate([with_detail, chosen[is_kept]])
            codes[start : len(with_detail)] = hashing.codes(vectors[is_kept])
        return with_detail, codes[: len(with_detail)]

    first, codes = hashed(SHIFTS[0])

    def likely(shift: tuple[int, int]) -> NDArray[np.int64]:
        second, moved = hashed(shift) if any(shift) else (first, codes)
        pairs = hashing.pairs((codes, moved), (groups[first], groups[second]))
        return np.stack([first[pairs[:, 0]], second[pairs[:, 1]]], axis=1)

    def alike(pairs: NDArray[np.int64], shift: tuple[int, int]) -> NDArray[np.bool_]:
        one, each = np.unique(pairs[:, 0], return_inverse=True)
        other, partner = np.unique(pairs[:, 1], return_inverse=True)
        products = details(one, SHIFTS[0])[each] * details(other, shift)[partner]
        return np.asarray(products.sum(1) >= ALIKE)

    found = np.empty((0, 2), np.int64)
    for shift in SHIFTS:
        pairs = likely(shift)
        known = np.isin(np.sort(pairs) @ [len(rows), 1], found @ [len(rows), 1])
        checked = [some[alike(some, shift)] for some in in_parts(pairs[~known])]
        found = np.unique(np.sort(np.concatenate([found, *checked])), axis=0)
    return rows[found]


def in_parts(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield rows, a few at a time."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def thumbnails(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
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


def describe(rows: pl.DataFrame, pairs: NDArray[np.int64]) -> str:
    """Report how many pairs there are, the first of them, and what to do."""
    names = rows["name"].to_list()
    exact = (rows["image"][pairs[:, 0]] == rows["image"][pairs[:, 1]]).sum()
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
