"""The weighted mean of the candidates that is best on the folds."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..contract.training import Candidate, Choice, Fold, Hyperparameters, Metric
from .decide_and_explain import Details
from .fitted import Fitted, output
from .problem import Problem

STEPS = 10  # weights are shares of up to ten


def average(
    problem: Problem, seed: int, folds: Sequence[Fold], metric: Metric, choices: Sequence[Choice]
) -> list[Choice]:
    """Return the mean of candidates that is best on the folds; none if one of them is as good.

    Candidates are added one by one, again where that is best: one that was added twice has twice
    the weight. This is ensemble selection (Caruana et al. 2004).
    """
    predicted = [[predict(choice, fold, seed) for fold in folds] for choice in choices]
    details = Details(problem=problem, typical={})

    def scores(counts: NDArray[np.int64]) -> tuple[float, ...]:
        means = [np.average(one, axis=0, weights=counts) for one in zip(*predicted, strict=True)]
        decided = [details.decide({output(problem): mean}) for mean in means]
        return tuple(metric.score(f.valid, d) for f, d in zip(folds, decided, strict=True))

    counts = np.zeros(len(choices), np.int64)
    path: list[tuple[float, tuple[float, ...], NDArray[np.int64]]] = []
    for _ in range(STEPS):
        steps = [(scores(counts + one), counts + one) for one in np.eye(len(choices), dtype=int)]
        gains = [metric.gain(float(np.mean(found)), 0.0) for found, _ in steps]
        found, counts = steps[int(np.argmax(gains))]
        path.append((max(gains), found, counts))
    _, found, counts = max(path, key=lambda step: step[0])
    shares = (counts / counts.sum()).tolist()
    weights = [(choice, share) for choice, share in zip(choices, shares, strict=True) if share]
    return [combined(weights, found)] if len(weights) > 1 else []


def predict(choice: Choice, fold: Fold, seed: int) -> NDArray[np.float64]:
    """Fit a candidate on a fold; return probabilities or values of the rows that it did not see."""
    predictions = choice.candidate.fit(fold.train, choice.settings, seed).predict(fold.valid)
    return np.asarray(predictions.get("probabilities", predictions["prediction"]))


def combined(weights: Sequence[tuple[Choice, float]], folds: tuple[float, ...]) -> Choice:
    """Return a candidate that fits others and takes the weighted mean of their predictions."""
    settings: dict[str, float | int | str] = {}
    for choice, weight in weights:
        name = choice.candidate.name
        settings[f"{name} weight"] = round(weight, 3)
        settings |= {f"{name} {key}": value for key, value in choice.settings.items()}

    def fit(rows: Columns, _: Hyperparameters, seed: int, *__: object) -> Fitted:
        members = []
        for choice, weight in weights:
            fitted: Any = choice.candidate.fit(rows, choice.settings, seed)
            members += [replace(member, weight=weight) for member in fitted.members]
        return Fitted(tuple(members), fitted.details)

    return Choice(Candidate("average", settings, fit), settings, folds)
