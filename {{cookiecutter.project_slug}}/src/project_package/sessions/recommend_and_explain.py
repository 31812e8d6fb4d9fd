"""The served model: the best items, and which of the household's own items moved each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ..columns import EXPLAIN, Columns, take
from ..contract.task import Model, steps_of
from ..explain import strongest
from .features import Items, objects

LEFT_OUT = 30
"""Items of a household that are left out in turn, at most: each takes a prediction. The first
reason is that of leaving out every item for 94 % of the items recommended to 60 households of the
tests, and for 73 % if the 30 items bought last are tried."""
SMALLEST = 1e-12  # score, whose logarithm is finite
ALL_SCORES = "all_scores"
"""The column of rows that asks for the scores of all items in place of the best ones."""
Reasons: TypeAlias = list[tuple[str, float]]
"""Items of the household, each with its effect, the largest first."""


@dataclass(frozen=True)
class SessionsModel:
    """A graph that ranks items, with reasons for those that it recommends."""

    ranker: Model
    codes: Mapping[str, int]
    """The number of each item, from 1, in the order of the scores."""

    def predict(self, rows: Columns) -> Columns:
        """Return what `Catalogue.rank` does; with 1 in the column `explain` of a row, also reasons.

        `reasons` are lists with `Reasons` for each of the best items, (rows,).
        """
        best = self.ranker.predict(rows)
        if EXPLAIN not in rows or not rows[EXPLAIN].any():
            return best
        reasons = [
            self._explain(take(rows, slice(row, row + 1)), best["items"][row]) if wanted else []
            for row, wanted in enumerate(rows[EXPLAIN].tolist())
        ]
        return {**best, "reasons": objects(reasons)}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return those of the graph."""
        return steps_of(self.ranker, rows)

    def _explain(self, household: Columns, best: Sequence[str]) -> list[Reasons]:
        """Return the reasons for the best items of a household, which is one row.

        The effect of an item is the logarithm of the score, less that when the item is in none of
        the baskets (explanation by removal: Covert, Lundberg and Lee 2021).
        """
        baskets = household["baskets"][0]
        items = most_bought(baskets, self.codes)
        versions = [baskets, *(without(item, baskets) for item in items)]
        rows = {
            "baskets": objects(versions),
            "days": objects(household["days"].tolist() * len(versions)),
            ALL_SCORES: np.ones(len(versions), np.bool_),
        }
        scores = self.ranker.predict(rows)["scores"][:, [self.codes[item] - 1 for item in best]]
        logarithms = np.log(np.maximum(scores.astype(np.float64), SMALLEST))
        effect = np.round((logarithms[0] - logarithms[1:]).T, 4)  # (best items, items left out)
        return [
            [(items[index], float(effect[number, index])) for index in top if index >= 0]
            for number, top in enumerate(strongest(effect).tolist())
        ]


def most_bought(baskets: Sequence[Items], known: Mapping[str, int]) -> list[str]:
    """Return the known items that are in most baskets, of equals the newest first."""
    counts = Counter(item for basket in reversed(baskets) for item in basket if item in known)
    return [item for item, _ in counts.most_common(LEFT_OUT)]


def without(item: str, baskets: Sequence[Items]) -> tuple[Items, ...]:
    """Return baskets without an item; one that had nothing else stays, as an empty one."""
    return tuple(
        tuple(other for other in basket if other != item) if item in basket else basket
        for basket in baskets
    )
