"""The embeddings of an index, in memory; `postgres_vectors` has them in PostgreSQL."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Cosines(NamedTuple):
    """Cosines of a question and a passage."""

    nearest: float
    """Of the nearest of the passage's texts: its own, and the questions that expand it."""
    own: float
    """Of its own text."""


class VectorStore(Protocol):
    """The embeddings of passages, (dimensions,) each, of length one; threads may share it."""

    def nearest(self, embedding: Vector, count: int) -> list[int]:
        """Return the passages with the nearest texts, the nearest first."""

    def cosines(self, embedding: Vector, numbers: Iterable[int]) -> Mapping[int, Cosines]:
        """Return the cosines of passages, by number."""


def read_vectors(path: Path) -> Iterator[tuple[int, Vector]]:
    """Yield passages and embeddings of the file of an index; that of its own text is the first."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        for passage, vector in connection.execute("select * from embeddings order by rowid"):
            yield passage, np.frombuffer(vector, np.float32)


class MemoryVectors:
    """The embeddings of an index in memory: 1.5 kB each."""

    def __init__(self, path: Path) -> None:
        """Read the file of an index."""
        passages, vectors = zip(*read_vectors(path), strict=True)
        self._passages = np.array(passages)
        self._vectors = np.array(vectors)
        self._starts = np.unique(self._passages, return_index=True)[1]

    def nearest(self, embedding: Vector, count: int) -> list[int]:
        """Return the passages with the nearest texts, the nearest first."""
        nearest = np.maximum.reduceat(self._vectors @ embedding, self._starts)
        best: list[int] = np.argsort(-nearest, kind="stable")[:count].tolist()
        return best

    def cosines(self, embedding: Vector, numbers: Iterable[int]) -> Mapping[int, Cosines]:
        """Return the cosines of passages, by number."""
        rows = np.isin(self._passages, [*numbers])
        values = self._vectors[rows] @ embedding
        found, starts = np.unique(self._passages[rows], return_index=True)
        nearest = np.maximum.reduceat(values, starts).tolist()
        cosines = map(Cosines, nearest, values[starts].tolist())
        return dict(zip(found.tolist(), cosines, strict=True))
