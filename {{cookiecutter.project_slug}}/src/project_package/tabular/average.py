"""The mean of candidates that is best on the folds."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.training import Candidate, Choice, Fold, Hyperparameters, Metric
from .decide_and_explain import Details
from .fitted import Fitted, output
from .problem import Problem


def averages(
    problem: Problem, seed: int, folds: Sequence[Fold], metric: Metric, choices: Sequence[Choice]
) -> Iterator[Choice]:
    """Yield the means of two or more candidates but the baseline, with their scores on the folds.

    Errors of different kinds of models cancel out in part (Perrone and Cooper 1993).
    """
    several = choices[1:] if len(choices) > 2 else []
    answer = "probabilities" if problem.classes else "prediction"
    details = Details(problem=problem, typical={})
    fits = [[c.candidate.fit(f.train, c.settings, seed) for f in folds] for c in several]
    predicted = [
        [m.predict(f.valid)[answer] for m, f in zip(one, folds, strict=True)] for one in fits
    ]
    for count in range(2, len(several) + 1):
        for chosen in combinations(range(len(several)), count):
            parts = zip(*(predicted[number] for number in chosen), strict=True)
            means = [details.decide({output(problem): np.mean(part, axis=0)}) for part in parts]
            scores = [metric.score(f.valid, mean) for f, mean in zip(folds, means, strict=True)]
            candidate = mean_of([several[number] for number in chosen])
            yield Choice(candidate, candidate.start, tuple(scores))


def mean_of(choices: Sequence[Choice]) -> Candidate:
    """Return a candidate that fits others and takes the mean of their predictions."""
    settings = {f"{c.candidate.name} {k}": v for c in choices for k, v in c.settings.items()}

    def fit(rows: Columns, _: Hyperparameters, seed: int, *__: object) -> Fitted:
        fits: list[Any] = [c.candidate.fit(rows, c.settings, seed) for c in choices]
        members = tuple(member for one in fits for member in one.members)
        return Fitted(members, fits[0].details, lambda part: fit(part, settings, seed))

    here = any(c.candidate.parallel is None for c in choices)
    return Candidate("average", settings, fit, parallel=None if here else True)
