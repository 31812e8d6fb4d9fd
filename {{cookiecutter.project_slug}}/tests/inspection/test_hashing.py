"""Similar vectors have the same code in a table; others are rarely compared."""

import numpy as np
import pytest

from project_package.inspection.hashing import Hashing

DIMENSIONS = 64


def correlated(rows: int, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    both = random.standard_normal((2, rows, DIMENSIONS)).astype(np.float32)
    one, other = both / np.linalg.norm(both, axis=2, keepdims=True)
    other -= (one * other).sum(1, keepdims=True) * one
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    return one, correlation * one + np.sqrt(1 - correlation**2) * other


@pytest.mark.parametrize(("correlation", "least", "most"), [(0.9, 0.99, 1), (0.5, 0, 0.001)])
def test_similar_vectors_are_found(correlation: float, least: float, most: float) -> None:
    one, other = correlated(4_000, correlation)
    hashing = Hashing.draw(4_000, DIMENSIONS, 0.9)
    rows = np.arange(4_000)
    pairs = hashing.pairs((hashing.codes(one), hashing.codes(other)), (rows, rows + 4_000))
    assert least <= np.mean(np.isin(rows, pairs[pairs[:, 0] == pairs[:, 1]])) <= most
    assert len(pairs) <= 4_000


def test_vectors_of_one_group_are_no_pair() -> None:
    one, _ = correlated(100, 0.9)
    hashing = Hashing.draw(100, DIMENSIONS, 0.9)
    codes = hashing.codes(one)
    same = np.zeros(100, np.int64)
    assert not len(hashing.pairs((codes, codes), (same, same)))
