"""Reasons by occlusion: how far each feature moves a score from where its typical value puts it.

The effect of a feature is the score, less the score when the feature is replaced by a reference,
such as its median over the training rows. It needs nothing of a model but its scores. On an
additive model such as a logistic regression it equals the Shapley value with the references as
baseline; where features interact, each effect includes its interactions with the others. Such
methods explain by removal (Covert, Lundberg and Lee 2021).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import Columns, length

REASONS = 3  # in an answer
ROWS_AT_ONCE = 4_096


def log_odds(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log-odds of probabilities, at most those of a millionth and of its complement."""
    inside = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)  # 1 has infinite log-odds
    return np.asarray(np.log(inside / (1 - inside)))


def effects(
    score: Callable[[Columns], NDArray[Any]], rows: Columns, references: Mapping[str, object]
) -> NDArray[np.float32]:
    """Compute the effect of each feature in `references` on each score: (rows, features, scores).

    `score` returns (rows, scores). One call scores rows with all their replacements; slices of
    rows bound the memory.
    """
    parts = []
    for start in range(0, max(length(rows), 1), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        versions = {}  # the rows as they are, then with each feature replaced
        for index, (name, reference) in enumerate(references.items(), 1):
            values = np.tile(rows[name][part], (1 + len(references), 1))
            values[index] = reference
            versions[name] = values.ravel()
        scores = score(versions)
        scores = scores.reshape(1 + len(references), values.shape[1], scores.shape[-1])
        parts.append((scores[0] - scores[1:]).swapaxes(0, 1))
    return np.concatenate(parts).astype(np.float32)


def strongest(effect: NDArray[Any]) -> NDArray[np.int64]:
    """Return the indices of the largest effects of (rows, features), falling: (rows, 3).

    -1 stands for no further reason.
    """
    top = np.argsort(-np.abs(effect), axis=1, kind="stable")[:, :REASONS]
    top = np.where(np.take_along_axis(effect, top, axis=1) != 0, top, -1)
    return np.pad(top, ((0, 0), (0, REASONS - top.shape[1])), constant_values=-1)


def reason_columns(effect: NDArray[Any], names: Sequence[str]) -> Columns:
    """Return the columns reason_1 to reason_3 of a file of predictions; "" for no further reason.

    `names` are those of the features of the effects, (rows, features).
    """
    reasons = np.array([*names, ""], object)[strongest(effect)].T
    return {f"reason_{rank}": column for rank, column in enumerate(reasons, 1)}
