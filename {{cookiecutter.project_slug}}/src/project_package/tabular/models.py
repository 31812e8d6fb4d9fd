"""The candidates: estimators with their preprocessing, as one graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor

from ..contract import Columns, Files
from ..errors import UserError
from ..onnx_model import GRAPH
from ..training import Candidate, Hyperparameters
from .estimators import ESTIMATORS, Estimator, Goal
from .problem import Problem
from .task import Details, inputs

ONE_HOT = 12
"""Trees get a column for each value of categories with so many; others are numbered."""


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline, from the features to probabilities or a value."""

    pipeline: Pipeline
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        table = to_table(self.details.problem, rows)
        if self.details.problem.classes:
            found = self.pipeline.predict_proba(table).astype(np.float32)
            return self.details.decide({"probabilities": found})
        return self.details.decide({"variable": self.pipeline.predict(table)})

    def files(self) -> Files:
        """Return the graph and the details; raise UserError if ONNX cannot express the model."""
        problem = self.details.problem
        kinds = [("numbers", FloatTensorType, problem.numbers)]
        kinds.append(("categories", StringTensorType, problem.categories))
        try:
            graph = to_onnx(
                self.pipeline,
                initial_types=[(name, kind([None, len(n)])) for name, kind, n in kinds if n],
                options={"zipmap": False} if problem.classes else None,
                target_opset={"": 18, "ai.onnx.ml": 3},
            )
        except (MissingConverter, MissingShapeCalculator, NotImplementedError) as error:
            raise UserError(
                f"{type(self.pipeline[-1]).__name__} cannot be converted to ONNX, so it cannot be "
                "served: choose another estimator in tabular/estimators.py."
            ) from error
        graph.graph.name = "tabular"  # the converter's own name is random
        return {GRAPH: graph.SerializeToString(), **self.details.files()}


def to_table(problem: Problem, rows: Columns) -> pl.DataFrame:
    """Return the inputs of the graph as one table, numbers first."""
    tables = [
        pl.DataFrame({f"{kind} {index}": values[:, index] for index in range(values.shape[1])})
        for kind, values in inputs(problem, rows).items()
    ]
    return pl.concat(tables, how="horizontal")


def coarsen(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return values in float32 with the last four bits cleared: six digits stay.

    Histogram gradient boosting splits in the middle of two values, in float64. Of such values, one
    at most 16 times the other, the middle is exact in float32, so the graph splits at the same
    place. Otherwise rows that have the middle itself, as decimals often do, get other answers.
    """
    return (values.astype(np.float32).view(np.int32) & ~np.int32(15)).view(np.float32)


def preprocessing(problem: Problem, how: str) -> ColumnTransformer:
    """Return the encoding of numbers and categories, by their positions in the table."""
    first, listed = len(problem.numbers), problem.table.columns
    values = [["", *listed[name].categories] for name in problem.categories]
    few = [n for n, known in enumerate(values) if how == "scaled" or len(known) <= ONE_HOT]
    many = [n for n in range(len(values)) if n not in few]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    numbers = {
        "raw": "passthrough",
        "imputed": imputer,
        "scaled": make_pipeline(imputer, MinMaxScaler(clip=True), StandardScaler()),
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


def fit(
    estimator: Estimator, goal: Goal, rows: Columns, settings: Hyperparameters, seed: int
) -> Fitted:
    """Fit preprocessing and estimator on rows."""
    problem = goal.problem
    pipeline = make_pipeline(
        preprocessing(problem, estimator.inputs), estimator.build(goal, settings, seed)
    )
    numbers = {name: coarsen(rows[name]) for name in problem.numbers}
    table = to_table(problem, {**rows, **numbers})
    with threadpool_limits(limits=1):  # two threads took 1.7 s for 4,600 rows, one takes .2 s
        pipeline.fit(table, rows[problem.target])
    fitted = Fitted(pipeline, Details(problem=problem, typical={}))
    if settings == estimator.start:  # the first trial: fail before the search, not after it
        fitted.files()
    return fitted


def candidates(goal: Goal, estimators: Sequence[Estimator] = ESTIMATORS) -> tuple[Candidate, ...]:
    """Return the candidates of a goal."""
    for kind, shapes, options in (
        (
            XGBClassifier,
            calculate_linear_classifier_output_shapes,
            {"nocl": [True, False], "zipmap": [True, False]},
        ),
        (XGBRegressor, calculate_linear_regressor_output_shapes, None),
    ):  # as the documentation of skl2onnx has it
        name = f"XGBoost{kind.__name__}"
        update_registered_converter(kind, name, shapes, convert_xgboost, options=options)
    return tuple(
        Candidate(each.name, each.start, partial(fit, each, goal), each.space)
        for each in estimators
    )
