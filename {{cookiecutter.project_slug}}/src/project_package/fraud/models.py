"""The candidates: a logistic baseline and two gradient boostings, and how each becomes a graph."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from ..contract import Candidate, Columns, Hyperparameters, Suggest
from .explain import CONTRIBUTIONS, SCORE, finish, with_contributions
from .features import INPUTS

OPSETS = {"": 18, "ai.onnx.ml": 3}
BACKGROUND = 20_000


def matrix(rows: Columns) -> NDArray[np.float32]:
    """Stack the features: shape (rows, features)."""
    return np.column_stack([rows[name] for name in INPUTS]).astype(np.float32, copy=False)


def predict(model: Any, rows: Columns) -> Columns:
    """Give the probability of fraud, float32 of shape (rows,)."""
    return {"score": model.predict_proba(matrix(rows))[:, 1].astype(np.float32)}


def fit_logistic(rows: Columns, settings: Hyperparameters, seed: int) -> Pipeline:
    """Fit a logistic regression on standardised features."""
    logistic = LogisticRegression(C=float(settings["C"]), max_iter=1000, random_state=seed)
    return make_pipeline(StandardScaler(), logistic).fit(matrix(rows), rows["is_fraud"])


def fit_hist(rows: Columns, settings: Hyperparameters, seed: int) -> HistGradientBoostingClassifier:
    """Fit scikit-learn's histogram gradient boosting."""
    model = HistGradientBoostingClassifier(
        **settings, max_depth=3, early_stopping=False, random_state=seed
    )
    return model.fit(matrix(rows), rows["is_fraud"])


def fit_xgboost(rows: Columns, settings: Hyperparameters, seed: int) -> XGBClassifier:
    """Fit XGBoost. Many bins: rare frauds hide between the cuts of the default 256."""
    model = XGBClassifier(
        **settings, max_bin=4096, subsample=0.7, colsample_bynode=0.5, random_state=seed
    )
    return model.fit(matrix(rows), rows["is_fraud"])


def hist_space(suggest: Suggest) -> Hyperparameters:
    """Suggest settings of the histogram gradient boosting."""
    return {
        "learning_rate": suggest.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "max_iter": suggest.suggest_int("max_iter", 50, 200),
        "l2_regularization": suggest.suggest_float("l2_regularization", 0.1, 30, log=True),
    }


def xgboost_space(suggest: Suggest) -> Hyperparameters:
    """Suggest settings of XGBoost."""
    return {
        "max_depth": suggest.suggest_int("max_depth", 2, 5),
        "learning_rate": suggest.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "n_estimators": suggest.suggest_int("n_estimators", 50, 250),
        "reg_lambda": suggest.suggest_float("reg_lambda", 0.3, 30, log=True),
    }


def export_trees(model: Any, rows: Columns) -> bytes:
    """Give the ONNX graph of a boosting, with contributions."""
    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
    )
    sample = matrix(rows)
    step = max(1, len(sample) // BACKGROUND)
    graph = with_contributions(_convert(model, sample), sample[::step])
    return bytes(graph.SerializeToString())


def export_logistic(model: Pipeline, rows: Columns) -> bytes:
    """Give the ONNX graph of the baseline; a feature contributes its weight times its distance."""
    scaler, logistic = model[0], model[-1]
    sample = matrix(rows)
    slope = (logistic.coef_[0] / scaler.scale_).astype(np.float32)
    constants = {"mean": scaler.mean_.astype(np.float32), "slope": slope}
    constants["positive_class"] = np.array(1, np.int64)
    graph = _convert(model, sample)
    probabilities = graph.graph.output[1].name  # the first is the label
    graph.graph.initializer.extend(numpy_helper.from_array(v, k) for k, v in constants.items())
    nodes = [
        helper.make_node("Gather", [probabilities, "positive_class"], [SCORE], axis=1),
        helper.make_node("Sub", ["features", "mean"], ["distance"]),
        helper.make_node("Mul", ["distance", "slope"], [CONTRIBUTIONS]),
    ]
    return bytes(finish(graph, nodes, len(slope)).SerializeToString())


def _convert(model: Any, sample: NDArray[np.float32]) -> onnx.ModelProto:
    graph: onnx.ModelProto = to_onnx(
        model,
        initial_types=[("features", FloatTensorType([None, sample.shape[1]]))],
        options={"zipmap": False},
        target_opset=OPSETS,
    )
    return graph


CANDIDATES = (
    Candidate("logistic", {"C": 1.0}, None, fit_logistic, predict, export_logistic),
    Candidate(
        "hist_gradient_boosting",
        {"learning_rate": 0.05, "max_iter": 150, "l2_regularization": 3.0},
        hist_space,
        fit_hist,
        predict,
        export_trees,
    ),
    Candidate(
        "xgboost",
        {"max_depth": 3, "learning_rate": 0.05, "n_estimators": 150, "reg_lambda": 3.0},
        xgboost_space,
        fit_xgboost,
        predict,
        export_trees,
    ),
)
