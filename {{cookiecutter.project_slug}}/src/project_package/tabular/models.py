"""The candidates: estimators with their preprocessing; and what is measured after the fit."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2, f_regression
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler, TargetEncoder
from threadpoolctl import threadpool_limits

from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters, Outcome
from ..thresholds import least_cost_threshold
from .date_parts import part_columns
from .decide_and_explain import Details
from .estimators import AFTER_LINEAR, ESTIMATORS, LINEAR, Estimator, suggest, variants
from .fitted import Fitted, to_table
from .params import Decide, TabularParams
from .problem import Problem, words

ONE_HOT = 12  # trees get a column for each value of a category with up to 12
VOCABULARY = 20_000  # words of a column, the most frequent, that a linear model gets
WEIGHT = 3.0  # of TF-IDF: its values are small, so they need less regularization than numbers
BEST = 100  # words of a column that trees get
BINS = 5  # groups of similar prediction, in which margins of intervals are measured, at most
ROWS_A_BIN = 200  # at least, if there is more than one group


def coarsen(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Clear the last four bits of float32 values; six digits remain.

    Histogram gradient boosting splits in the middle of two values, in float64; the graph compares
    in float32. Of such values, one at most 16 times the other, the middle is exact in float32, so
    both split alike. Otherwise rows that have the middle itself, as decimals often do, differ.
    """
    return (values.astype(np.float32).view(np.int32) & ~np.int32(15)).view(np.float32)


def preprocessing(problem: Problem, how: str, seed: int) -> ColumnTransformer:
    """Return the encoding of numbers, categories and texts, by their positions in the table.

    Trees get the mean of the target for each value of a category with many values, fitted within
    folds (Micci-Barreca 2001); a target of more than two classes has none in ONNX. They do not get
    the time that has passed, of which all new rows have more than those of training.
    """
    first = len(problem.numbers)
    elapsed = {n for n, (_, part) in part_columns(problem.table).items() if part == "elapsed"}
    columns = [problem.inputs[name] for name in problem.categories]
    numbers = list(range(first))
    few = list(range(len(columns)))
    if how != "scaled":
        numbers = [n for n in numbers if problem.numbers[n] not in elapsed] or numbers
    if how != "scaled" and problem.kind != "multiclass":
        few = [n for n in few if len(columns[n].categories) <= ONE_HOT and not columns[n].others]
    many = [first + n for n in range(len(columns)) if n not in few]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    clipped = MinMaxScaler(clip=True)  # else a value far out of range decides alone
    scalers = {
        "raw": "passthrough",
        "imputed": imputer,
        "scaled": make_pipeline(imputer, clipped, StandardScaler()),
    }
    one_hot = OneHotEncoder(
        categories=[["", *columns[n].categories] for n in few],
        handle_unknown="ignore",
        dtype=np.float32,
    )
    kind = "continuous" if problem.kind == "regression" else problem.kind
    folds = (StratifiedKFold if problem.classes else KFold)(shuffle=True, random_state=seed)
    steps: list[tuple[str, Any, Any]] = [
        ("numbers", scalers[how], numbers),
        ("one_hot", one_hot, [first + n for n in few]),
        ("means", TargetEncoder(target_type=kind, cv=folds), many),
    ]
    steps = [step for step in steps if step[2]]
    text = text_encoding(problem, how)
    texts = {f"text {n}": first + len(columns) + n for n in range(len(problem.texts))}
    steps += [(name, text, position) for name, position in texts.items()]
    if how != "scaled":  # trees would take zeros of sparse matrices for missing
        return ColumnTransformer(steps, sparse_threshold=0)
    return ColumnTransformer(steps, transformer_weights=dict.fromkeys(texts, WEIGHT))


def text_encoding(problem: Problem, how: str) -> Any:
    """Return the encoding of a text: TF-IDF of its words, and for trees counts of the best words.

    A graph counts exactly, but rounds TF-IDF and its truncated SVD in another way, and a tree
    takes another branch where a split lies in between. On five of seven public tables, counts were
    better than 50 components of the SVD, computed exactly; on two they were worse.
    """
    splits = {"lowercase": False, "token_pattern": r"\S+", "dtype": np.float32}
    if how == "scaled":
        return TfidfVectorizer(max_features=VOCABULARY, **splits)
    best = SelectKBest(chi2 if problem.classes else f_regression, k=BEST)
    return make_pipeline(CountVectorizer(**splits), best)


def constraints(problem: Problem, columns: ColumnTransformer, table: Any, target: Any) -> list[int]:
    """Return 1, 0 or -1 for each column that the preprocessing makes of a table, numbers first."""
    width = columns.fit(table, target).transform(table[:1]).shape[1]
    names = [problem.numbers[number] for number in columns.transformers[0][2]]
    directions = [problem.directions.get(name, 0) for name in names]
    return directions + [0] * (width - len(names))


def candidate(problem: Problem, estimator: Estimator, absolute: bool) -> Candidate:
    """Return the candidate of an estimator; `absolute`: the absolute error decides."""
    kind = estimator.classifier if problem.classes else estimator.regressor
    tried = variants(estimator, not (problem.classes or problem.directions), absolute)
    start = {**estimator.start, **tried[0]}
    space = partial(suggest, estimator, tried) if estimator.space else None

    def fit(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Fitted:
        known = dict(settings)
        steps = []
        if known.pop(AFTER_LINEAR, False):
            linear = LINEAR.regressor(**LINEAR.start)
            steps.append(make_pipeline(preprocessing(problem, "scaled", seed), linear))
        model = kind(**known)
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
        columns = preprocessing(problem, estimator.preprocessing, seed)
        steps.append(make_pipeline(columns, model))
        numbers = {name: coarsen(rows[name]) for name in problem.numbers}
        table = to_table(problem, {**rows, **numbers})
        target = rows[problem.target]
        if problem.directions:
            limits = constraints(problem, columns, table, target)
            model.set_params(**{estimator.monotone: tuple(limits)})
        # Two threads took 1.7 s for 4,600 rows, one takes .2 s.
        with threadpool_limits(limits=1), warnings.catch_warnings():
            warnings.filterwarnings("ignore", f"k={BEST} is greater")  # there are fewer words
            for step in steps:
                step.fit(table, target)
                if step is not steps[-1]:
                    target = target - step.predict(table)
        fitted = Fitted((tuple(steps),), Details(problem=problem, typical={}))
        if settings == start:  # the first trial: fail before the search, not after it
            fitted.files()
        return fitted

    return Candidate(estimator.name, start, fit, space)


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
    if problem.kind == "regression":
        newest = np.ones(len(target), np.bool_)
        if time := problem.column_of("time"):  # errors of models that had most rows to fit
            times = validation.rows[time]
            newest = times >= np.quantile(times, 1 - 1 / params.split.folds)
        changes |= margins(target[newest], predicted[newest], params.decide.tail)
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
