"""The estimators of scikit-learn and XGBoost: how to build each, and how to search its settings.

To add one of scikit-learn, add an `Estimator` to `ESTIMATORS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from optuna import Trial
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from ..training import Hyperparameters
from .problem import Problem


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
