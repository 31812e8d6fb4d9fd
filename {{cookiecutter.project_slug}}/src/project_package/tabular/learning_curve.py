"""The learning curve: whether more rows would make the model better."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..columns import Columns, length, take
from ..contract.about import Figure
from ..contract.training import Metric
from .decide_and_explain import Curve
from .fitted import Fitted
from .split import known_before

SHARES = (0.1, 0.25, 0.5, 1.0)
LEAST = 100  # rows of a fit


def with_curve(metric: Metric, fitted: Fitted, rows: Columns, gap_days: float) -> Fitted:
    """Fit the same on shares of three quarters of the rows, score on the others, keep the scores.

    The others are the newest ones, or those of other groups, or any. The rows of a share are the
    last before them and before the gap.
    """
    problem = fitted.details.problem
    keys = rows.get(problem.column_of("time"))
    if keys is None:
        gap_days = 0
        owners = rows.get(problem.column_of("group"), np.arange(length(rows))).astype(str)
        different, codes = np.unique(owners, return_inverse=True)
        keys = np.random.default_rng(0).permutation(len(different))[codes]
    order = np.argsort(keys, kind="stable")
    begin = keys[order[3 * len(keys) // 4]]
    before = order[known_before(keys[order], begin, gap_days)]
    held_out = take(rows, keys >= begin)
    curve = []
    for count in (int(share * len(before)) for share in SHARES):
        part = take(rows, before[len(before) - count :])
        known = [len(np.unique(half[problem.target])) for half in (part, held_out)]
        if count >= LEAST and min(known) >= len(problem.classes):
            score = metric.score(held_out, fitted.refit(part).predict(held_out))
            curve.append((count, score))
    return replace(fitted, details=fitted.details.model_copy(update={"curve": tuple(curve)}))


def learning(metric: Metric, curve: Curve) -> tuple[Figure, ...]:
    """Draw the curve, if it has more than one point."""

    def draw(axes: Any) -> None:
        axes.plot(*zip(*curve, strict=True), marker="o")
        axes.set(xlabel="rows of training", ylabel=metric.label)

    caption = (
        "The score on a quarter of the training rows, of models that were fitted on shares of the "
        "others. Where the line still improves at its end, more rows would probably help."
    )
    title = "Whether more rows would help"
    return (Figure("learning", title, caption, draw),) if len(curve) > 1 else ()
