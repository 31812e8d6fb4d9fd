"""Find pairs of similar vectors without comparing all pairs: locality-sensitive hashing.

A vector is on one side of each random hyperplane through the origin. Two vectors of correlation r
are on the same side with probability p = 1 - arccos(r) / pi (Charikar 2002): .856 at .9, and .5 at
0. The sides of b planes are a code of b bits, and a pair is a candidate if its codes agree in one
of t tables, each with its own planes. A pair is missed with probability (1 - p^b)^t. With
b = log2(rows) + 4, dissimilar vectors are candidates about rows / 32 times in a table, so time and
memory grow a little faster than the rows, t as rows^.22. The codes of a vector take 4 t bytes: 400
of each of 30,000 vectors, and 860 of each of a million.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
"""The codes of vectors, (rows, tables)."""
MISSED = 0.005  # chance that no table has a pair
DEVIATIONS = 4  # standard deviations below the expected number of equal sides: 3 in 100,000 pairs
AT_ONCE = 100_000  # pairs


@dataclass(frozen=True)
class Hashing:
    """Random hyperplanes, and how many sides two similar vectors share at least."""

    planes: NDArray[np.float32]
    """(dimensions, tables, bits)."""
    least: float
    """Sides that two similar vectors share in all tables together."""

    @classmethod
    def draw(cls, rows: int, dimensions: int, correlation: float) -> Self:
        """Draw planes, for so many vectors, that find pairs of at least a correlation."""
        same = 1 - np.arccos(correlation) / np.pi
        bits = int(np.ceil(np.log2(rows))) + 4
        tables = int(np.ceil(np.log(MISSED) / np.log(1 - same**bits)))
        random = np.random.default_rng(0)
        planes = random.standard_normal((dimensions, tables, bits), np.float32)
        sides = tables * bits
        least = sides * same - DEVIATIONS * np.sqrt(sides * same * (1 - same))
        return cls(planes, float(least))

    def new_codes(self, rows: int) -> Codes:
        """Return an array for the codes of vectors."""
        return np.empty((rows, self.planes.shape[1]), np.uint32)

    def codes(self, vectors: NDArray[np.float32]) -> Codes:
        """Return the codes of vectors, (rows, dimensions)."""
        dimensions, tables, bits = self.planes.shape
        products = vectors @ self.planes.reshape(dimensions, -1)
        sides = products.reshape(-1, tables, bits) > 0
        return sides @ (1 << np.arange(bits, dtype=np.uint32))

    def pairs(
        self,
        codes: tuple[Codes, Codes],
        groups: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> NDArray[np.int64]:
        """Return the pairs of likely similar vectors of different groups: (pairs, 2) positions.

        Args:
            codes: those of two sets of vectors; a pair has one of each. If both are the same
                array, each pair is returned in one order.
            groups: (rows,) of each set.
        """
        first, second = (
            pl.LazyFrame({"row": np.arange(len(group)), "group": group}) for group in groups
        )
        found = np.empty(0, np.int64)
        for table in range(self.planes.shape[1]):
            left, right = (
                rows.with_columns(code=pl.Series(each[:, table]))
                for rows, each in zip((first, second), codes, strict=True)
            )
            joined = left.join(right, "code").filter(pl.col("group") != pl.col("group_right"))
            if codes[0] is codes[1]:
                joined = joined.filter(pl.col("row") < pl.col("row_right"))
            key = pl.col("row") * len(groups[1]) + pl.col("row_right")
            keys = joined.select(key).collect().to_series().to_numpy()
            new = np.setdiff1d(keys, found, assume_unique=True)
            likely = [
                self._likely(codes, part)
                for part in np.split(new, range(AT_ONCE, len(new), AT_ONCE))
            ]
            found = np.concatenate([found, *likely])
        return np.stack(np.divmod(np.sort(found), len(groups[1])), axis=1)

    def _likely(self, codes: tuple[Codes, Codes], keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the keys of pairs whose vectors share enough sides in all tables together."""
        a, b = np.divmod(keys, len(codes[1]))
        different = np.bitwise_count(codes[0][a] ^ codes[1][b]).sum(1, dtype=np.int64)
        _, tables, bits = self.planes.shape
        likely: NDArray[np.int64] = keys[tables * bits - different >= self.least]
        return likely
