"""The candidates: a linear baseline and quantile boosting (XGBoost), one model per quantile.

All predict the logarithm of (units + 1) over (level + 1), where the level is the product's mean of
13 weeks: so products of any volume share one model. The logarithm keeps the order of values, so
quantiles stay quantiles. Rows weigh as much as their level, as an error of a ratio costs that many
units.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from optuna import Trial
from skl2onnx import to_onnx
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from xgboost import XGBRegressor

from ..bundle import Files
from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from .features import LEVEL
from .task import QUANTILES, UNCORRECTED, Details


@dataclass(frozen=True)
class Quantiles:
    """A fitted model of each quantile, with the correction of the bounds."""

    regressors: Mapping[str, Any]
    """A scikit-learn pipeline or an XGBRegressor for each."""
    details: Details = UNCORRECTED

    def predict(self, rows: Columns) -> Columns:
        """Return value, low and high in units, (rows,) each."""
        inputs = self.details.stack(rows)
        ratios = {name: model.predict(inputs) for name, model in self.regressors.items()}
        return self.details.to_units(ratios, rows)

    def files(self) -> Files:
        """Return a graph for each quantile, and the details."""
        count = len(self.details.features)
        graphs = {
            f"{name}.onnx": export_onnx(regressor, count)
            for name, regressor in self.regressors.items()
        }
        return {**graphs, **self.details.files()}


def training_data(rows: Columns) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return inputs (rows, features), targets (rows,) and weights (rows,)."""
    weights = rows[LEVEL] + 1
    return UNCORRECTED.stack(rows), np.log((rows["units"] + 1) / weights), weights


def fit_linear(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Quantiles:
    """Fit a ridge regression; the quantiles of its residuals shift it to each quantile."""
    inputs, target, weights = training_data(rows)
    least, most = np.quantile(inputs, [0.01, 0.99], axis=0).astype(np.float32)
    inputs = np.clip(inputs, least, most)  # new rows are clipped to this range by the first scaler
    ridge = Ridge(alpha=float(settings["alpha"]), random_state=seed)
    regression = make_pipeline(MinMaxScaler(clip=True), StandardScaler(), ridge)
    regression.fit(inputs, target, ridge__sample_weight=weights)
    residuals = target - regression.predict(inputs)
    regressors = {name: deepcopy(regression) for name in QUANTILES}
    for name, quantile in QUANTILES.items():
        regressors[name][-1].intercept_ += np.quantile(residuals, quantile)
    return Quantiles(regressors)


def fit_xgboost(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Quantiles:
    """Fit one boosting for each quantile."""
    inputs, target, weights = training_data(rows)
    fixed = {"max_bin": 64, "subsample": 0.7, "colsample_bynode": 0.5, "random_state": seed}
    regressors = {}
    for name, quantile in QUANTILES.items():
        loss = {"objective": "reg:quantileerror", "quantile_alpha": quantile}
        booster = XGBRegressor(**settings, **fixed, **loss, n_jobs=1)  # as cores may be busy
        regressors[name] = booster.fit(inputs, target, sample_weight=weights)
    return Quantiles(regressors)


def xgboost_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of XGBoost."""
    return {
        "max_depth": trial.suggest_int("max_depth", 3, 7),
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.15, log=True),
        "n_estimators": trial.suggest_int("n_estimators", 80, 300),
        "min_child_weight": trial.suggest_float("min_child_weight", 5, 500, log=True),
    }


def export_onnx(regressor: Any, features: int) -> bytes:
    """Export a regressor to an ONNX graph from `X`, (rows, features), to `variable`, (rows, 1).

    One boosting with three quantiles would be converted wrongly (onnxmltools 1.16).
    """
    if isinstance(regressor, XGBRegressor):
        inputs = [("X", FloatTensorType([None, features]))]
        exported = convert_xgboost(regressor, initial_types=inputs, target_opset=15)
    else:
        exported = to_onnx(regressor, np.zeros((1, features), np.float32), target_opset=18)
    exported.graph.name = "demand"  # the converter's own name is random
    return bytes(exported.SerializeToString())


XGBOOST = {"max_depth": 5, "learning_rate": 0.07, "n_estimators": 200, "min_child_weight": 100.0}
CANDIDATES = (
    Candidate("linear", {"alpha": 100.0}, fit_linear),
    Candidate("xgboost", XGBOOST, fit_xgboost, xgboost_space, parallel=True),
)
