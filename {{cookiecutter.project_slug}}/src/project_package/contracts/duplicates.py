"""Find texts that nearly repeat others: licences borrow clauses from each other."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import CountVectorizer

SHINGLE = 4  # words


def near_duplicates(texts: Sequence[str], similarity: float) -> NDArray[np.int64]:
    """Return the group of each text, (texts,): those of one group are linked by near-duplicates.

    Two texts are near-duplicates if their sets of four words in sequence (shingles; Broder 1997)
    have at least this Jaccard similarity: the share that both have of those that either has.
    """
    options = {"ngram_range": (SHINGLE, SHINGLE), "token_pattern": r"\w+", "dtype": np.int64}
    shingles = CountVectorizer(**options, binary=True).fit_transform(texts)
    sizes = np.asarray(shingles.sum(axis=1)).reshape(-1)
    common = coo_array(shingles @ shingles.T)
    first, second = common.coords
    similar = common.data >= similarity * (sizes[first] + sizes[second] - common.data)
    edges = coo_array((similar[similar], (first[similar], second[similar])), common.shape)
    groups: NDArray[np.int64] = connected_components(edges, directed=False)[1]
    return groups
