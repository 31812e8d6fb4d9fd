"""The estimators of scikit-learn and XGBoost, and how to search their settings.

To add one of scikit-learn, add an `Estimator` to `ESTIMATORS`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from optuna import Trial
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from ..contract.training import Hyperparameters


@dataclass(frozen=True)
class Estimator:
    """A family of models: for classes and for a number, with the same settings."""

    name: str
    classifier: Callable[..., Any]
    regressor: Callable[..., Any]
    start: Hyperparameters
    """Settings known to be good."""
    space: Callable[[Trial], Hyperparameters] | None = None
    preprocessing: Literal["scaled", "sparse", "imputed", "raw"] = "imputed"
    """Scaled for linear models and neighbours, as a sparse matrix for those that read one; raw
    where missing values are understood."""
    absolute: Hyperparameters = field(default_factory=dict)
    """Arguments with which the regressor minimises the absolute error."""
    portfolio: Sequence[Hyperparameters] = ()
    """What is changed of the start for tables with noise; then for those with many rows."""
    monotone: str = ""
    """The argument that takes 1, 0 or -1 for each column; without it, monotone is not possible."""


def logistic_regression(alpha: float) -> LogisticRegression:
    """Return a logistic regression with the regularization of `Ridge`."""
    return LogisticRegression(C=1 / alpha, max_iter=1000)


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


AFTER_LINEAR = "after_linear"  # a setting of those with variants
LINEAR = Estimator("linear", logistic_regression, Ridge, {"alpha": 1.0}, linear_space, "sparse")
TREE = {"max_depth": 3, "min_samples_leaf": 10}
ESTIMATORS = (
    Estimator(
        "decision_tree",
        DecisionTreeClassifier,
        DecisionTreeRegressor,
        TREE,
        monotone="monotonic_cst",
    ),
    LINEAR,
    Estimator(
        "hist_gradient_boosting",
        partial(HistGradientBoostingClassifier, early_stopping=False),
        partial(HistGradientBoostingRegressor, early_stopping=False),
        {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "l2_regularization": 0.01},
        hist_space,
        "raw",
        {"loss": "absolute_error"},
        (
            {"learning_rate": 0.05, "max_leaf_nodes": 6, "l2_regularization": 1.0},
            {"max_iter": 300, "l2_regularization": 10.0},
        ),
        "monotonic_cst",
    ),
    Estimator(
        "xgboost",
        partial(XGBClassifier, subsample=0.8, n_jobs=1),
        partial(XGBRegressor, subsample=0.8, n_jobs=1),
        {
            "learning_rate": 0.05,
            "n_estimators": 200,
            "max_depth": 4,
            "min_child_weight": 1.0,
            "colsample_bynode": 0.7,
        },
        xgboost_space,
        "raw",
        {"objective": "reg:absoluteerror"},
        (
            {"n_estimators": 100, "max_depth": 2, "colsample_bynode": 0.5},
            {"n_estimators": 600, "max_depth": 8, "min_child_weight": 3.0},
        ),
        "monotone_constraints",
    ),
)
"""The first is the simple baseline that the others must beat."""


def variants(estimator: Estimator, free: bool, absolute: bool) -> list[Hyperparameters]:
    """Return what is added to the settings of an estimator: nothing unless it is free.

    For classes it is not; nor where answers are monotone, which a linear model and the leaves of
    the absolute error would not be.

    On new rows, the squared error as loss can have the smaller absolute error. After a linear model
    is fitted, trees that fit its errors need fewer splits for a straight line.
    """
    if not free:
        return [{}]
    loss = estimator.absolute if absolute else {}
    tried: list[Hyperparameters] = [loss, {}]
    if estimator.preprocessing == "raw":
        tried += [{**loss, AFTER_LINEAR: True}, {AFTER_LINEAR: True}]
    return [settings for n, settings in enumerate(tried) if settings not in tried[:n]]


def suggest(
    estimator: Estimator, tried: Sequence[Hyperparameters], trial: Trial
) -> Hyperparameters:
    """Suggest the start and the portfolio; the best of them with each variant; then any settings.

    What is left to try follows from the trials that ended: after a kill, or beside another worker.
    """
    study = trial.study
    trials = [one for one in study.trials if one.values]
    known = [one.user_attrs["settings"] for one in trials]
    first = [{**estimator.start, **change} for change in ({}, *estimator.portfolio)]
    first = json.loads(json.dumps(first))  # as a study has them: a tuple is a list
    starts = [{**settings, **tried[0]} for settings in first]
    left = [settings for settings in starts if settings not in known]
    if not left:
        sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        tried_first = [one for one in complete if one.user_attrs["settings"] in starts]
        best = min(tried_first, key=lambda one: sign * one.values[0]).user_attrs["settings"]
        changed = [{**first[starts.index(best)], **variant} for variant in tried]
        left = [settings for settings in changed if settings not in known]
    if left:
        return left[trial.number % len(left)]
    best = study.best_trial.user_attrs["settings"]
    variant = {name: best[name] for one in tried for name in one if name in best}
    return {**estimator.space(trial), **variant} if estimator.space else best
