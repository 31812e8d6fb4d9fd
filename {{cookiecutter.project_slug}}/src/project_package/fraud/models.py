"""The candidates: a logistic baseline and two gradient boostings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna import Trial
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from ..bundle import Files
from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from ..onnx_export import export_onnx
from ..onnx_runtime import GRAPH
from ..xgboost_on_workers import fit_on_workers
from .features import INPUTS, matrix


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier with the interface of scikit-learn, and its export to ONNX."""

    model: Any

    def predict(self, rows: Columns) -> Columns:
        """Return the score, the probability of fraud: float32, (rows,)."""
        return {"score": self.model.predict_proba(matrix(rows))[:, 1].astype(np.float32)}

    def files(self) -> Files:
        """Return the ONNX graph."""
        inputs = [("features", FloatTensorType([None, len(INPUTS)]))]
        return {GRAPH: export_onnx(self.model, inputs)}


def fit_logistic(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Classifier:
    """Fit a logistic regression on standardised features."""
    logistic = LogisticRegression(C=float(settings["C"]), max_iter=1000, random_state=seed)
    model = make_pipeline(StandardScaler(), logistic)
    return Classifier(model.fit(matrix(rows), rows["is_fraud"]))


def fit_hist(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Classifier:
    """Fit the histogram gradient boosting of scikit-learn."""
    fixed = {"max_depth": 3, "early_stopping": False, "random_state": seed}
    model = HistGradientBoostingClassifier(**settings, **fixed)
    return Classifier(model.fit(matrix(rows), rows["is_fraud"]))


def fit_xgboost(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Classifier:
    """Fit XGBoost with many bins: the default of 256 costs .07 of average precision here."""
    fixed = {"max_bin": 4096, "subsample": 0.7, "colsample_bynode": 0.8, "random_state": seed}
    known = dict(settings)
    workers = int(known.pop("workers", 0))
    model = XGBClassifier(**known, **fixed, n_jobs=1)  # threads wait when cores are busy
    return Classifier(fit_on_workers(model, matrix(rows), rows["is_fraud"], workers))


def hist_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the histogram gradient boosting."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_iter": trial.suggest_int("max_iter", 50, 200),
        "l2_regularization": trial.suggest_float("l2_regularization", 0.1, 30, log=True),
    }


def xgboost_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of XGBoost."""
    return {
        "max_depth": trial.suggest_int("max_depth", 2, 5),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 50, 250),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.3, 30, log=True),
    }


CANDIDATES = (
    Candidate("logistic", {"C": 1.0}, fit_logistic),
    Candidate(
        "hist_gradient_boosting",
        {"learning_rate": 0.05, "max_iter": 150, "l2_regularization": 3.0},
        fit_hist,
        hist_space,
        parallel=True,
    ),
    Candidate(
        "xgboost",
        {"max_depth": 4, "learning_rate": 0.05, "n_estimators": 150, "reg_lambda": 3.0},
        fit_xgboost,
        xgboost_space,
        parallel=True,
    ),
)
