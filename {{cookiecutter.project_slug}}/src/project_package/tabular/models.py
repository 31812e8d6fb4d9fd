"""The candidates: estimators with their preprocessing, as one graph; and what is measured after."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from optuna import Trial
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from ..bundle import Files
from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters, Outcome
from ..errors import UserError
from ..onnx_export import export_onnx
from ..onnx_runtime import GRAPH
from ..thresholds import least_cost_threshold
from .decide_and_explain import Details
from .estimators import ESTIMATORS, Estimator
from .params import Decide, TabularParams
from .problem import Problem

ONE_HOT = 12  # trees get a column for each value of a category with up to 12; others are numbered
BINS = 5  # groups of similar prediction, in which margins of intervals are measured, at most
ROWS_A_BIN = 200  # at least, if there is more than one group


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, from the features to probabilities or a value."""

    pipeline: Pipeline
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        table = to_table(self.details.problem, rows)
        if self.details.problem.classes:
            probabilities = self.pipeline.predict_proba(table).astype(np.float32)
            return self.details.decide({"probabilities": probabilities})
        return self.details.decide({"variable": self.pipeline.predict(table)})

    def files(self) -> Files:
        """Return the graph and the details; raise UserError if ONNX cannot express the model."""
        problem = self.details.problem
        kinds = [
            ("numbers", FloatTensorType, problem.numbers),
            ("categories", StringTensorType, problem.categories),
        ]
        inputs = [(name, kind([None, len(names)])) for name, kind, names in kinds if names]
        try:
            graph = export_onnx(self.pipeline, inputs, "tabular")
        except (MissingConverter, MissingShapeCalculator, NotImplementedError) as error:
            raise UserError(
                f"{type(self.pipeline[-1]).__name__} cannot be converted to ONNX, so it cannot be "
                "served: choose another estimator in tabular/estimators.py."
            ) from error
        return {GRAPH: graph, **self.details.files()}


def to_table(problem: Problem, rows: Columns) -> pl.DataFrame:
    """Return the features as one table, numbers first and in float32."""
    numbers = {name: rows[name].astype(np.float32) for name in problem.numbers}
    return pl.DataFrame({**numbers, **{name: rows[name] for name in problem.categories}})


def coarsen(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Clear the last four bits of float32 values; six digits remain.

    Histogram gradient boosting splits in the middle of two values, in float64; the graph compares
    in float32. Of such values, one at most 16 times the other, the middle is exact in float32, so
    both split alike. Otherwise rows that have the middle itself, as decimals often do, differ.
    """
    return (values.astype(np.float32).view(np.int32) & ~np.int32(15)).view(np.float32)


def preprocessing(problem: Problem, how: str) -> ColumnTransformer:
    """Return the encoding of numbers and categories, by their positions in the table."""
    first = len(problem.numbers)
    values = [["", *problem.inputs[name].categories] for name in problem.categories]
    few = [n for n, known in enumerate(values) if how == "scaled" or len(known) <= ONE_HOT]
    many = [n for n in range(len(values)) if n not in few]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    clipped = MinMaxScaler(clip=True)  # else a value far out of range decides alone
    numbers = {
        "raw": "passthrough",
        "imputed": imputer,
        "scaled": make_pipeline(imputer, clipped, StandardScaler()),
    }
    one_hot = OneHotEncoder(
        categories=[values[n] for n in few],
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )
    ordinal = OrdinalEncoder(
        categories=[values[n] for n in many],
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        dtype=np.float32,
    )
    steps = [
        ("numbers", numbers[how], list(range(first))),
        ("one_hot", one_hot, [first + n for n in few]),
        ("ordinal", ordinal, [first + n for n in many]),
    ]
    return ColumnTransformer([step for step in steps if step[2]])


def candidate(problem: Problem, estimator: Estimator, absolute: bool) -> Candidate:
    """Return the candidate of an estimator; `absolute`: the absolute error decides."""
    kind = estimator.classifier if problem.classes else estimator.regressor
    losses = estimator.losses if absolute else {}
    start = {**estimator.start, **{name: values[0] for name, values in losses.items()}}
    space = partial(with_losses, estimator.space, losses) if estimator.space else None

    def fit(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Fitted:
        model = kind(**settings)
        if "random_state" in model.get_params():
            model.set_params(random_state=seed)
        pipeline = make_pipeline(preprocessing(problem, estimator.preprocessing), model)
        numbers = {name: coarsen(rows[name]) for name in problem.numbers}
        table = to_table(problem, {**rows, **numbers})
        with threadpool_limits(limits=1):  # two threads took 1.7 s for 4,600 rows, one takes .2 s
            pipeline.fit(table, rows[problem.target])
        fitted = Fitted(pipeline, Details(problem=problem, typical={}))
        if settings == start:  # the first trial: fail before the search, not after it
            fitted.files()
        return fitted

    return Candidate(estimator.name, start, fit, space)


def with_losses(
    space: Callable[[Trial], Hyperparameters], losses: Mapping[str, tuple[str, ...]], trial: Trial
) -> Hyperparameters:
    """Suggest settings and the loss, if there are several."""
    tried = {name: trial.suggest_categorical(name, values) for name, values in losses.items()}
    return {**space(trial), **tried}


def candidates(
    problem: Problem, absolute: bool = False, estimators: Sequence[Estimator] = ESTIMATORS
) -> tuple[Candidate, ...]:
    """Return the candidates for a problem."""
    return tuple(candidate(problem, estimator, absolute) for estimator in estimators)


def finish(params: TabularParams, fitted: Fitted, rows: Columns, validation: Outcome) -> Fitted:
    """Add what decisions, intervals and reasons need, measured on training and validation rows."""
    details = fitted.details
    problem = fitted.details.problem
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
    """Return the median or the most frequent value of each feature; 0 where none is known."""
    references: dict[str, float | str] = {}
    for name in problem.categories:
        values, counts = np.unique(rows[name].astype(str), return_counts=True)
        references[name] = str(values[counts.argmax()])
    for name in problem.numbers:
        known = rows[name][~np.isnan(rows[name])]
        references[name] = float(np.median(known)) if len(known) else 0.0
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
