"""Find texts that nearly repeat others: licences borrow clauses from each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

SHINGLE = 4  # words
ROWS_AT_ONCE = 1_000  # of the matrix of common shingles, which grows with the square


def near_duplicates(texts: Sequence[str], similarity: float) -> NDArray[np.int64]:
    """Return the group of each text, (texts,): those of one group are linked by near-duplicates.

    Two texts are near-duplicates if their sets of four words in sequence (shingles; Broder 1997)
    have at least this Jaccard similarity: the share that both have of those that either has.
    """
    options = {"ngram_range": (SHINGLE, SHINGLE), "token_pattern": r"\w+", "dtype": np.int64}
    try:
        shingles = CountVectorizer(**options, binary=True).fit_transform(texts)
    except ValueError:  # no text has as many words
        return np.arange(len(texts))
    sizes = np.asarray(shingles.sum(axis=1)).reshape(-1)
    edges = []
    for start in range(0, len(texts), ROWS_AT_ONCE):
        common = coo_array(shingles[start : start + ROWS_AT_ONCE] @ shingles.T)
        first, second = common.coords
        union = sizes[start + first] + sizes[second] - common.data
        similar = common.data >= similarity * union
        edges.append(np.stack([start + first[similar], second[similar]]))
    pairs = np.concatenate(edges, axis=1)
    linked = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), (len(texts), len(texts)))
    groups: NDArray[np.int64] = connected_components(linked, directed=False)[1]
    return groups
