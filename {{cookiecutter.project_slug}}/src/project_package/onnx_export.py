"""Export fitted scikit-learn models, with XGBoost as one of their steps, to ONNX."""

from collections.abc import Sequence
from typing import Any

from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn.base import is_classifier
from xgboost import XGBClassifier, XGBRegressor


def export_onnx(model: Any, inputs: Sequence[tuple[str, Any]], name: str = "") -> bytes:
    """Export a fitted model to an ONNX graph, for any number of rows.

    Args:
        model: an estimator or a pipeline. A classifier returns `label` and `probabilities`, a
            regressor `variable`.
        inputs: name and type of each input of the graph, such as `FloatTensorType([None, 3])`.
        name: of the graph; by default the converter's own.

    Raises:
        MissingConverter, MissingShapeCalculator: skl2onnx does not know a step.
        NotImplementedError: ONNX cannot express a step.
    """
    register_xgboost()
    exported = to_onnx(
        model,
        initial_types=list(inputs),
        options={"zipmap": False} if is_classifier(model) else None,
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    exported.graph.name = name or exported.graph.name
    return bytes(exported.SerializeToString())


def register_xgboost() -> None:
    """Register the converters of XGBoost, as the documentation of skl2onnx has it."""
    update_registered_converter(
        XGBClassifier,
        "XGBoostXGBClassifier",
        calculate_linear_classifier_output_shapes,
        convert_xgboost,
        options={"nocl": [True, False], "zipmap": [True, False]},
    )
    update_registered_converter(
        XGBRegressor,
        "XGBoostXGBRegressor",
        calculate_linear_regressor_output_shapes,
        convert_xgboost,
    )
