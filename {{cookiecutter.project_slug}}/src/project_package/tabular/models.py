"""The candidates: estimators of scikit-learn and XGBoost, with their preprocessing in one graph.

To add an estimator of scikit-learn, add an `Estimator` to `ESTIMATORS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import polars as pl
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from optuna import Trial
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor

from ..contract import Columns, Files
from ..errors import UserError
from ..onnx_model import GRAPH
from ..training import Candidate, Hyperparameters
from .problem import Problem
from .task import Details, inputs

ONE_HOT = 12
"""Trees get a column for each value of categories with so many; others are numbered."""


@dataclass(frozen=True)
class Goal:
    """What an estimator is made for."""

    problem: Problem
    absolute: bool
    """Absolute errors count, not their squares."""


@dataclass(frozen=True)
class Estimator:
    """A family of models of scikit-learn."""

    name: str
    build: Callable[[Goal, Hyperparameters, int], Any]
    """Return an estimator for classes or for a number, with settings and a seed."""
    start: Hyperparameters
    """Settings known to be good."""
    space: Callable[[Trial], Hyperparameters] | None = None
    inputs: Literal["scaled", "imputed", "raw"] = "imputed"
    """Scaled for linear models and neighbours; raw where missing values are understood."""


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
                "served: choose another estimator in tabular/models.py."
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
    with threadpool_limits(limits=1):  # two threads took 1.7 s for 4,600 rows, one takes .2 s
        pipeline.fit(to_table(problem, rows), rows[problem.target])
    fitted = Fitted(pipeline, Details(problem=problem, typical={}))
    if settings == estimator.start:  # the first trial: fail before the search, not after it
        fitted.files()
    return fitted


def decision_tree(goal: Goal, settings: Hyperparameters, seed: int) -> Any:
    """Return a decision tree that a person can read."""
    kind = DecisionTreeClassifier if goal.problem.classes else DecisionTreeRegressor
    return kind(**settings, random_state=seed)


def linear(goal: Goal, settings: Hyperparameters, seed: int) -> Any:
    """Return a logistic or a ridge regression."""
    alpha = float(settings["alpha"])
    if goal.problem.classes:
        return LogisticRegression(C=1 / alpha, max_iter=1000, random_state=seed)
    return Ridge(alpha=alpha, random_state=seed)


def hist_gradient_boosting(goal: Goal, settings: Hyperparameters, seed: int) -> Any:
    """Return the histogram gradient boosting of scikit-learn."""
    fixed = {**settings, "early_stopping": False, "random_state": seed}
    if goal.problem.classes:
        return HistGradientBoostingClassifier(**fixed)
    loss = "absolute_error" if goal.absolute else "squared_error"
    return HistGradientBoostingRegressor(**fixed, loss=loss)


def xgboost(goal: Goal, settings: Hyperparameters, seed: int) -> Any:
    """Return the gradient boosting of XGBoost."""
    fixed = {**settings, "subsample": 0.8, "random_state": seed, "n_jobs": 1}
    if goal.problem.classes:
        return XGBClassifier(**fixed)
    loss = "absoluteerror" if goal.absolute else "squarederror"
    return XGBRegressor(**fixed, objective=f"reg:{loss}")


def linear_space(trial: Trial) -> Hyperparameters:
    """Suggest the strength of the regularization."""
    return {"alpha": trial.suggest_float("alpha", 0.01, 100, log=True)}


def hist_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the histogram gradient boosting."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_iter": trial.suggest_int("max_iter", 50, 300),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 4, 63, log=True),
        "l2_regularization": trial.suggest_float("l2_regularization", 0.01, 30, log=True),
    }


def xgboost_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of XGBoost."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 50, 300),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
        "min_child_weight": trial.suggest_float("min_child_weight", 1, 30, log=True),
        "colsample_bynode": trial.suggest_float("colsample_bynode", 0.4, 1),
    }


HIST = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "l2_regularization": 0.01}
XGBOOST = {
    "learning_rate": 0.05,
    "n_estimators": 200,
    "max_depth": 4,
    "min_child_weight": 1.0,
    "colsample_bynode": 0.7,
}
ESTIMATORS = (
    Estimator("decision_tree", decision_tree, {"max_depth": 3, "min_samples_leaf": 10}),
    Estimator("linear", linear, {"alpha": 1.0}, linear_space, "scaled"),
    Estimator("hist_gradient_boosting", hist_gradient_boosting, HIST, hist_space, "raw"),
    Estimator("xgboost", xgboost, XGBOOST, xgboost_space, "raw"),
)
"""The first is the simple baseline that the others must beat."""


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
