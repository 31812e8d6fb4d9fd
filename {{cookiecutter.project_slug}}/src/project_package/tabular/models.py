"""The candidates: estimators behind their preprocessing; and what is measured after the fit."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, make_pipeline
from threadpoolctl import threadpool_limits

from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters, Metric, Outcome
from ..thresholds import least_cost_threshold
from ..xgboost_on_workers import fit_on_workers
from .decide_and_explain import Details
from .estimators import AFTER_LINEAR, ESTIMATORS, LINEAR, Estimator, suggest, variants
from .fitted import Fitted, to_table
from .metrics import find_metrics
from .params import Decide, TabularParams
from .preprocessing import HARMLESS, coarsen, preprocessing
from .problem import Problem
from .texts import words

POWERS = (0, 0.25, 0.5, 0.75, 1)  # of the inverse shares of classes; with 0, all count alike
BINS = 5  # groups of similar prediction, in which margins of intervals are measured, at most
ROWS_A_BIN = 200  # at least, if there is more than one group


def pipelines(
    problem: Problem, estimator: Estimator, settings: Hyperparameters, seed: int
) -> list[Pipeline]:
    """Return the pipelines of settings: of two, the second is fitted to the errors of the first."""
    known = dict(settings)
    before = []
    if known.pop(AFTER_LINEAR, False):
        linear = LINEAR.regressor(**LINEAR.start)
        before.append(make_pipeline(preprocessing(problem, LINEAR.preprocessing, seed), linear))
    model = (estimator.classifier if problem.classes else estimator.regressor)(**known)
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    return [*before, make_pipeline(preprocessing(problem, estimator.preprocessing, seed), model)]


def column_directions(
    problem: Problem, pipeline: Pipeline, table: Any, target: Any
) -> tuple[int, ...]:
    """Return 1, 0 or -1 for each column that the pipeline makes of a table, numbers first."""
    columns = pipeline[0]
    width = columns.fit(table, target).transform(table[:1]).shape[1]
    names = [problem.numbers[number] for number in columns.transformers[0][2]]
    known = [problem.directions.get(name, 0) for name in names]
    return (*known, *[0] * (width - len(names)))


def candidate(problem: Problem, estimator: Estimator, absolute: bool) -> Candidate:
    """Return the candidate of an estimator; `absolute`: the absolute error decides."""
    tried = variants(estimator, not (problem.classes or problem.directions), absolute)
    start = {**estimator.start, **tried[0]}
    if problem.kind == "multiclass":  # a tree for each class: many of them take too long
        estimator = replace(estimator, portfolio=estimator.portfolio[:1])
    space = partial(suggest, estimator, tried) if estimator.space else None

    def fit(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Fitted:
        known = dict(settings)
        workers = int(known.pop("workers", 0))
        steps = pipelines(problem, estimator, known, seed)
        numbers = {name: coarsen(rows[name]) for name in problem.numbers}
        table = to_table(problem, {**rows, **numbers})
        offset = 0.0 if problem.classes else float(np.median(rows[problem.target]))
        target = rows[problem.target] - offset if offset else rows[problem.target]
        # Two threads took 1.7 s for 4,600 rows, one takes .2 s.
        with threadpool_limits(limits=1), warnings.catch_warnings():
            for harmless in HARMLESS:
                warnings.filterwarnings("ignore", harmless)
            if problem.directions:
                found = column_directions(problem, steps[-1], table, target)
                steps[-1][-1].set_params(**{estimator.monotone: found})
            for step in steps[:-1]:
                target = target - step.fit(table, target).predict(table)
            matrix = steps[-1][:-1].fit_transform(table, target)
            fit_on_workers(steps[-1][-1], matrix, target, workers)
        details = Details(problem=problem, typical={}, offset=offset)
        fitted = Fitted((tuple(steps),), details, lambda part: fit(part, known, seed))
        if known == start:  # the first trial: fail before the search, not after it
            fitted.files()
        return fitted

    return Candidate(estimator.name, start, fit, space, parallel=True)


def candidates(
    problem: Problem, absolute: bool = False, estimators: Sequence[Estimator] = ESTIMATORS
) -> tuple[Candidate, ...]:
    """Return the candidates for a problem; those that can be monotone, if a feature is."""
    possible = [one for one in estimators if one.monotone or not problem.directions]
    return tuple(candidate(problem, estimator, absolute) for estimator in possible)


def finish(params: TabularParams, fitted: Fitted, rows: Columns, validation: Outcome) -> Fitted:
    """Add what decisions, intervals and reasons need, measured on training and validation rows."""
    details = fitted.details
    problem = details.problem
    target = validation.rows[problem.target]
    predicted = validation.predictions["probabilities" if problem.classes else "prediction"]
    changes: dict[str, Any] = {"typical": typical(problem, rows)}
    if problem.kind == "binary":
        changes["threshold"] = threshold(target, predicted[:, 1], params.decide)
    if problem.kind == "multiclass":
        changes["weights"] = class_weights(find_metrics(problem, params)[0], details, validation)
    if problem.kind == "regression":
        changes |= margins(target, predicted, params.decide.tail)
    return replace(fitted, details=details.model_copy(update=changes))


def typical(problem: Problem, rows: Columns) -> dict[str, float | str]:
    """Return the median or the most frequent value of each feature; 0 where none is known.

    Of a text, the empty one.
    """
    references: dict[str, float | str] = {}
    for name in problem.categories:
        values, counts = np.unique(rows[name].astype(str), return_counts=True)
        references[name] = str(values[counts.argmax()])
    for name in problem.numbers:
        known = rows[name][~np.isnan(rows[name])]
        references[name] = float(np.median(known)) if len(known) else 0.0
    references |= dict.fromkeys(problem.texts, words(""))
    return {name: references[name] for name in problem.features}


def threshold(target: NDArray[Any], chances: NDArray[Any], decide: Decide) -> float:
    """Return the threshold of least cost: half the lowest probability if all should be flagged."""
    everything = float(chances.min()) / 2
    return least_cost_threshold(
        chances,
        decide.false_positive * (1 - target),
        decide.false_negative * target,
        everything=everything,
    )


def class_weights(goal: Metric, details: Details, validation: Outcome) -> tuple[float, ...]:
    """Return the weights of probabilities with which predicted classes have the best score.

    They are a power of the inverse share of each class (logit adjustment, Menon et al. 2021).
    """
    problem = details.problem
    counts = np.bincount(validation.rows[problem.target], minlength=len(problem.classes))
    shares = np.maximum(counts, 1) / counts.sum()

    def score(power: float) -> float:
        weighted = details.model_copy(update={"weights": tuple(shares**-power)})
        return goal.gain(goal.score(validation.rows, weighted.decide(validation.predictions)), 0.0)

    return tuple(shares ** -max(POWERS, key=score))


def margins(target: NDArray[Any], predicted: NDArray[Any], tail: float) -> dict[str, Any]:
    """Return the margins of intervals by prediction, measured on rows that no fit has seen.

    A share `tail` of the values lies below, and as many above. Each bin is a split conformal
    prediction (Vovk et al. 2005), each bound on its own.
    """
    bins = max(1, min(BINS, len(target) // ROWS_A_BIN))
    bounds: dict[str, list[float]] = {"centres": [], "below": [], "above": []}
    for part in np.array_split(np.argsort(predicted, kind="stable"), bins):
        level = min(1.0, (1 - tail) * (1 + 1 / len(part)))
        error = target[part] - predicted[part]
        bounds["centres"].append(float(np.mean(predicted[part])))
        for name, errors in (("below", -error), ("above", error)):
            bounds[name].append(max(0.0, float(np.quantile(errors, level, method="higher"))))
    return {name: tuple(numbers) for name, numbers in bounds.items()}
