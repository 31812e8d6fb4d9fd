"""Reasons by occlusion: how far each feature moves the score from where its median would put it.

The effect of a feature is the log-odds of the score, less the log-odds of the score when the
feature is replaced by its median over the training rows. It needs nothing of a model but its
scores. On an additive model such as a logistic regression it equals the Shapley value with the
medians as baseline; where features interact, each effect includes its interactions with the others.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Model, length

ROWS_AT_ONCE = 4_096


def effects(model: Model, rows: Columns, medians: Mapping[str, float]) -> NDArray[np.float32]:
    """Compute the effect of each feature in `medians` on each score: (rows, features).

    One prediction scores rows with all their replacements; slices of rows bound the memory.
    """
    found = np.zeros((length(rows), len(medians)), np.float32)
    for start in range(0, len(found), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        versions = {}  # the rows as they are, then with each feature replaced
        for index, (name, median) in enumerate(medians.items(), 1):
            values = np.tile(rows[name][part], (1 + len(medians), 1))
            values[index] = median
            versions[name] = values.ravel()
        scores = model.predict(versions)["score"].reshape(1 + len(medians), -1)
        scores = np.clip(scores.astype(np.float64), 1e-6, 1 - 1e-6)  # 1 has infinite log-odds
        log_odds = np.log(scores / (1 - scores))
        found[part] = (log_odds[0] - log_odds[1:]).T
    return found
