"""Remove features from rows, for `ml checklist`."""

from collections.abc import Iterator

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from ..columns import Columns
from ..contract.checklist import permuted
from .problem import Problem

SIMILAR = 0.5
"""Features whose rank correlation is higher, on average, are removed together."""


def ablations(problem: Problem, rows: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield rows without each feature, or group of features that say nearly the same.

    A model can replace one of them by the others, so each alone seems useless. The values before a
    row are no features.
    """
    ranks = [rankdata(np.unique(rows[name], return_inverse=True)[1]) for name in problem.features]
    varied = np.array(ranks) + 1e-9 * np.random.default_rng(0).random((len(ranks), len(ranks[0])))
    groups = np.ones(1, int)
    if len(ranks) > 1:
        distances = np.clip(1 - np.abs(np.corrcoef(varied)), 0, 1)
        tree = linkage(squareform(distances, checks=False), "average")
        groups = fcluster(tree, 1 - SIMILAR, "distance")
    names = np.array(problem.features, object)
    together = [tuple(names[groups == group]) for group in np.unique(groups)]
    yield from permuted(rows, {", ".join(columns): columns for columns in together})
