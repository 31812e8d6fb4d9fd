"""TIFU-KNN (Hu et al. 2020), the strongest simple method for baskets that repeat (Li et al. 2021).

A household is the vector of what it bought: the baskets are divided into groups of equal size, the
newest last, and weights fall from group to group and from basket to basket in a group. What it will
buy is its vector, mixed with the mean vector of the households most like it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from project_package.columns import Columns, concatenate, length, take
from project_package.contract.training import Splits
from project_package.sessions.metrics import recalls
from project_package.sessions.models import catalogue_of
from project_package.sessions.task import Catalogue

Numbers = NDArray[Any]
ROWS_AT_ONCE = 2_000
GRID = {
    "groups": (7, 20),
    "within": (0.9,),
    "between": (0.7, 0.9),
    "neighbours": (100, 300),
    "own": (0.7, 0.9),
    "distance": ("euclidean", "cosine"),
}
"""Settings to try: the ranges of the paper, and what was better on these purchases. The paper has
Euclidean distances."""


def weights(baskets: int, groups: int, within: float, between: float) -> Numbers:
    """Return the weight of each basket, the oldest first: (baskets,)."""
    back = np.arange(baskets)[::-1]
    size = -(-baskets // groups)
    group = back // size
    sizes = np.bincount(group)
    return within ** (back % size) / sizes[group] * between**group / len(sizes)


def vectors(rows: Columns, catalogue: Catalogue, settings: Mapping[str, Any]) -> Numbers:
    """Return what the household of each row bought before, (rows, items)."""
    found = np.zeros((length(rows), len(catalogue.items)), np.float32)
    chosen = {name: settings[name] for name in ("groups", "within", "between")}
    for row, baskets in enumerate(rows["baskets"]):
        if baskets:
            found[row] = catalogue.sum_by_item(baskets, weights(len(baskets), **chosen))
    return found


def newest(rows: Columns) -> Columns:
    """Return a row for each household, after its newest basket."""
    first = np.unique(rows["household_id"].astype(str), return_index=True)[1]  # the newest is first
    found = take(rows, first)
    pairs = zip(found["baskets"], found["bought"], strict=True)
    baskets = np.fromiter(((*earlier, bought) for earlier, bought in pairs), object)
    return {"household_id": found["household_id"], "baskets": baskets}


@dataclass(frozen=True)
class TifuKnn:
    """The households of the training rows, and settings."""

    catalogue: Catalogue
    households: Columns
    settings: Mapping[str, Any]

    def predict(self, rows: Columns) -> Columns:
        """Return the best items of each household, by its vector and those of its neighbours."""
        everyone = vectors(self.households, self.catalogue, self.settings)
        count = self.settings["neighbours"]
        own = self.settings["own"]
        near = NearestNeighbors(n_neighbors=count + 1, metric=self.settings["distance"])
        near.fit(everyone)
        parts = []
        for start in range(0, length(rows), ROWS_AT_ONCE):
            part = take(rows, np.arange(start, min(start + ROWS_AT_ONCE, length(rows))))
            mine = vectors(part, self.catalogue, self.settings)
            found = near.kneighbors(mine, return_distance=False)
            other = self.households["household_id"][found] != part["household_id"][:, None]
            other &= np.cumsum(other, axis=1) <= count  # without the household itself
            near_them = np.zeros((len(found), len(everyone)), np.float32)
            np.put_along_axis(near_them, found, other / count, axis=1)
            scores = own * mine + (1 - own) * near_them @ everyone
            total = np.maximum(scores.sum(1, keepdims=True), 1e-12)
            parts.append(self.catalogue.rank(part, {"scores": scores / total}))
        return concatenate(parts)


def strongest(splits: Splits, least: int) -> TifuKnn:
    """Fit with the settings that have the best recall on the validation baskets.

    Items count that `least` households bought.
    """
    (fold,) = splits.folds
    known, households = catalogue_of(fold.train, least), newest(fold.train)
    settings = [dict(zip(GRID, values, strict=True)) for values in product(*GRID.values())]

    def recall(one: Mapping[str, Any]) -> float:
        found = TifuKnn(known, households, one).predict(fold.valid)
        return float(recalls(fold.valid, found).mean())

    catalogue = catalogue_of(splits.train, least)
    return TifuKnn(catalogue, newest(splits.train), max(settings, key=recall))
