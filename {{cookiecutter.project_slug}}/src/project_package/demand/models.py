"""The candidates: a linear baseline and quantile boosting, and how each becomes a graph.

All fit the logarithm of (units + 1) over (level + 1), where the level is the product's mean of 13
weeks: so products of any volume teach one another. Quantiles pass through the logarithm unharmed;
rows weigh as much as their level, because an error of a ratio costs that many units. The graph
turns ratios back into units, none below zero.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

from ..contract import Candidate, Columns, Hyperparameters, Suggest
from .task import OUTPUTS
from .metrics import QUANTILES
from .features import INPUTS, LEVEL

Matrix = NDArray[np.float32]

EXTREMES = 0.01
"""Share of the training rows, at each end of a feature, that the baseline takes as equal."""
OPSETS = {"": 18, "ai.onnx.ml": 3}


def matrix(rows: Columns) -> Matrix:
    """Stack the features: shape (rows, features)."""
    return np.column_stack([rows[name] for name in INPUTS]).astype(np.float32, copy=False)


def target(rows: Columns) -> NDArray[np.float64]:
    """Give the logarithm of units over level, one added to both: shape (rows,)."""
    ratio: NDArray[np.float64] = np.log((rows["units"] + 1) / (rows[LEVEL] + 1))
    return ratio


def in_units(ratios: Mapping[str, Any], rows: Columns) -> Columns:
    """Turn logarithms of ratios into units, as the graph does: float32 of shape (rows,) each."""
    scale = rows[LEVEL] + np.float32(1)
    return {
        name: np.maximum(np.exp(np.float32(ratios[name])) * scale - np.float32(1), np.float32(0))
        for name in OUTPUTS
    }


@dataclass(frozen=True)
class Linear:
    """A ridge regression, and how far below and above it the quantiles of its residuals lie."""

    least: Matrix
    most: Matrix
    """Bounds of each feature: a line that goes on beyond them would forecast anything."""
    pipeline: Pipeline
    offsets: Mapping[str, float]


def fit_linear(rows: Columns, settings: Hyperparameters, seed: int) -> Linear:
    """Fit a ridge regression on standardised features; its quantiles are those of the residuals."""
    ridge = Ridge(alpha=float(settings["alpha"]), random_state=seed)
    pipeline = make_pipeline(StandardScaler(), ridge)
    least, most = np.quantile(matrix(rows), [EXTREMES, 1 - EXTREMES], axis=0).astype(np.float32)
    inside = np.clip(matrix(rows), least, most).astype(np.float64)
    pipeline.fit(inside, target(rows), ridge__sample_weight=rows[LEVEL] + 1)
    residuals = target(rows) - pipeline.predict(inside)
    offsets = {name: float(np.quantile(residuals, q)) for name, q in QUANTILES.items()}
    return Linear(least, most, pipeline, offsets)


def predict_linear(model: Linear, rows: Columns) -> Columns:
    """Give value, low and high in units."""
    inside = np.clip(matrix(rows), model.least, model.most)
    middle = model.pipeline.predict(inside.astype(np.float64))
    return in_units({name: middle + offset for name, offset in model.offsets.items()}, rows)


def fit_xgboost(rows: Columns, settings: Hyperparameters, seed: int) -> Mapping[str, XGBRegressor]:
    """Fit one boosting a quantile."""
    return {
        name: XGBRegressor(
            **settings,
            objective="reg:quantileerror",
            quantile_alpha=quantile,
            max_bin=64,
            subsample=0.7,
            colsample_bynode=0.5,
            random_state=seed,
        ).fit(matrix(rows), target(rows), sample_weight=rows[LEVEL] + 1)
        for name, quantile in QUANTILES.items()
    }


def predict_xgboost(model: Mapping[str, XGBRegressor], rows: Columns) -> Columns:
    """Give value, low and high in units."""
    return in_units({name: part.predict(matrix(rows)) for name, part in model.items()}, rows)


def xgboost_space(suggest: Suggest) -> Hyperparameters:
    """Suggest settings of XGBoost."""
    return {
        "max_depth": suggest.suggest_int("max_depth", 3, 7),
        "learning_rate": suggest.suggest_float("learning_rate", 0.03, 0.15, log=True),
        "n_estimators": suggest.suggest_int("n_estimators", 80, 300),
        "min_child_weight": suggest.suggest_float("min_child_weight", 5, 500, log=True),
    }


def export_linear(model: Linear, _: Columns) -> bytes:
    """Give the ONNX graph of the baseline: one product with the slopes, an offset each."""
    scaler, ridge = model.pipeline[0], model.pipeline[-1]
    slope = (ridge.coef_ / scaler.scale_)[:, None]
    constants = {"least": model.least, "most": model.most, "mean": scaler.mean_, "slope": slope}
    constants |= {
        f"{name}_offset": [ridge.intercept_ + offset] for name, offset in model.offsets.items()
    }
    nodes = [
        helper.make_node("Max", ["features", "least"], ["not_low"]),
        helper.make_node("Min", ["not_low", "most"], ["inside"]),
        helper.make_node("Sub", ["inside", "mean"], ["distance"]),
        helper.make_node("MatMul", ["distance", "slope"], ["middle"]),
    ]
    nodes += [
        helper.make_node("Add", ["middle", f"{name}_offset"], [f"{name}_ratio"]) for name in OUTPUTS
    ]
    return graph(nodes, constants)


def export_xgboost(model: Mapping[str, XGBRegressor], _: Columns) -> bytes:
    """Give the ONNX graph of three boostings over the same features.

    One boosting with three quantiles would be converted wrongly (onnxmltools 1.16).
    """
    nodes = []
    for name in OUTPUTS:
        kind = [("features", FloatTensorType([None, len(INPUTS)]))]
        converted = convert_xgboost(model[name], initial_types=kind, target_opset=15)
        (trees,) = converted.graph.node
        trees.name = trees.output[0] = f"{name}_ratio"
        nodes.append(trees)
    return graph(nodes, {})


def graph(nodes: Sequence[onnx.NodeProto], constants: Mapping[str, Any]) -> bytes:
    """Put nodes that give `<output>_ratio`, (rows, 1), before those that turn them into units."""
    whole = {"last_axis": [1], "level_place": [INPUTS.index(LEVEL)]}
    values: dict[str, NDArray[Any]] = {n: np.array(v, np.int64) for n, v in whole.items()}
    values |= {n: np.array(v, np.float32) for n, v in {"one": [1], **constants}.items()}
    made = helper.make_graph(
        [
            *nodes,
            helper.make_node("Gather", ["features", "level_place"], ["level"], axis=1),
            helper.make_node("Add", ["level", "one"], ["scale"]),
            *(node for name in OUTPUTS for node in _units(name)),
        ],
        "demand",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", len(INPUTS)])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows"]) for name in OUTPUTS],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _units(name: str) -> list[onnx.NodeProto]:
    """Give the nodes from the logarithm of a ratio to units."""
    steps = (
        ("Exp", [f"{name}_ratio"], f"{name}_times"),
        ("Mul", [f"{name}_times", "scale"], f"{name}_more"),
        ("Sub", [f"{name}_more", "one"], f"{name}_any"),
        ("Relu", [f"{name}_any"], f"{name}_column"),
        ("Squeeze", [f"{name}_column", "last_axis"], name),
    )
    return [helper.make_node(kind, inputs, [output]) for kind, inputs, output in steps]


CANDIDATES = (
    Candidate("linear", {"alpha": 100.0}, None, fit_linear, predict_linear, export_linear),
    Candidate(
        "xgboost",
        {"max_depth": 5, "learning_rate": 0.07, "n_estimators": 200, "min_child_weight": 100.0},
        xgboost_space,
        fit_xgboost,
        predict_xgboost,
        export_xgboost,
    ),
)
