"""Remove a part of what clauses say, for `ml checklist`."""

from collections.abc import Iterator

import numpy as np

from ..columns import Columns
from ..contract.checklist import permuted


def ablations(rows: Columns) -> Iterator[tuple[str, Columns]]:
    """Yield rows with other texts, and with the words of the text in another order."""
    yield from permuted(rows, {"text": ("text",)})
    random = np.random.default_rng(0)
    shuffled = [" ".join(random.permutation(text.split())) for text in rows["text"]]
    yield "order of words", {**rows, "text": np.array(shuffled, object)}
