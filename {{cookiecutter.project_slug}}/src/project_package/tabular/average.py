"""The weighted mean of the best trials of the search that is best on the folds."""

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

LIBRARY = 3  # the best trials of each candidate
STEPS = 10  # of the selection


def average(
    problem: Problem, seed: int, folds: Sequence[Fold], metric: Metric, trials: Sequence[Choice]
) -> list[Choice]:
    """Return the mean of trials that is best on the folds; none if one trial is as good.

    Trials are added one by one, again where that is best: a trial that was added twice has twice
    the weight. This is ensemble selection (Caruana et al. 2004).
    """
    best = sorted(trials, key=lambda trial: -metric.gain(trial.score, 0.0))
    library: list[Choice] = []
    for trial in best:
        if sum(other.candidate is trial.candidate for other in library) < LIBRARY:
            library.append(trial)
    predicted = [[predict(trial, fold, seed) for fold in folds] for trial in library]
    details = Details(problem=problem, typical={})

    def scores(weights: NDArray[np.int64]) -> tuple[float, ...]:
        means = [np.average(one, axis=0, weights=weights) for one in zip(*predicted, strict=True)]
        decided = [details.decide({output(problem): mean}) for mean in means]
        return tuple(metric.score(f.valid, d) for f, d in zip(folds, decided, strict=True))

    counts = np.zeros(len(library), np.int64)
    path: list[tuple[float, tuple[float, ...], NDArray[np.int64]]] = []
    for _ in range(STEPS):
        steps = [(scores(counts + one), counts + one) for one in np.eye(len(library), dtype=int)]
        gains = [metric.gain(float(np.mean(found)), 0.0) for found, _ in steps]
        found, counts = steps[int(np.argmax(gains))]
        path.append((max(gains), found, counts))
    _, found, counts = max(path, key=lambda step: step[0])
    if np.sum(counts > 0) == 1:
        return []
    weights = counts / counts.sum()
    chosen = np.flatnonzero(counts)
    return [combined([library[n] for n in chosen], weights[chosen].tolist(), found)]


def predict(trial: Choice, fold: Fold, seed: int) -> NDArray[np.float64]:
    """Fit a trial on a fold; return probabilities or values of the rows that it did not see."""
    predictions = trial.candidate.fit(fold.train, trial.settings, seed).predict(fold.valid)
    return np.asarray(predictions.get("probabilities", predictions["prediction"]))


def combined(trials: Sequence[Choice], weights: Sequence[float], folds: Sequence[float]) -> Choice:
    """Return a candidate that fits trials and takes their weighted mean."""
    settings: dict[str, float | int | str] = {}
    for number, (trial, weight) in enumerate(zip(trials, weights, strict=True), 1):
        name = f"{trial.candidate.name} {number}"
        settings[f"{name} weight"] = round(weight, 3)
        settings |= {f"{name} {key}": value for key, value in trial.settings.items()}

    def fit(rows: Columns, _: Hyperparameters, seed: int, *__: object) -> Fitted:
        fits: list[Any] = [t.candidate.fit(rows, t.settings, seed) for t in trials]
        members = [
            replace(member, weight=float(weight))
            for fitted, weight in zip(fits, weights, strict=True)
            for member in fitted.members
        ]
        return Fitted(tuple(members), fits[0].details)

    return Choice(Candidate("average", settings, fit), settings, tuple(folds))
