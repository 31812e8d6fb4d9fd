"""Graphs in ONNX: of scikit-learn's pipelines, and of a network with a pipeline behind it."""

import warnings
from typing import Any

import onnx
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline

from ..bundle import sha256

OPSET = 18
ML_OPSET = 3
FEW_BYTES = 1_024
"""Smaller weights stay in the graph."""


def export_pipeline(pipeline: Pipeline, inputs: str, opset: int = OPSET) -> bytes:
    """Export a fitted classifier, or a Gaussian mixture, to ONNX.

    The graph takes `inputs`, (rows, features) float32, and returns `label` and `probabilities`; of
    a mixture also `score_samples`, the log-densities.
    """
    count = pipeline[0].n_features_in_
    options: dict[Any, dict[str, bool]] = {id(pipeline): {"zipmap": False}}
    if isinstance(pipeline[-1], GaussianMixture):
        options = {id(pipeline[-1]): {"score_samples": True}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # skl2onnx reads attributes that will go
        exported = to_onnx(
            pipeline,
            initial_types=[(inputs, FloatTensorType([None, count]))],
            options=options,
            target_opset={"": opset, "ai.onnx.ml": ML_OPSET},
        )
    exported.graph.name = inputs  # the name of the model's type would be the default
    return bytes(exported.SerializeToString())


def join(network: bytes, pipeline: Pipeline, output: str = "probabilities") -> bytes:
    """Return one graph from the inputs of a network to an output for its features.

    The network has one output, the features that the pipeline takes.
    """
    first = onnx.load_from_string(network)
    opset = next(each.version for each in first.opset_import if not each.domain)
    second = onnx.load_from_string(export_pipeline(pipeline, "features", opset))
    second.ir_version = first.ir_version
    versions = [("", opset), ("ai.onnx.ml", ML_OPSET)]
    for model in (first, second):  # each may list other versions, or one twice
        del model.opset_import[:]
        model.opset_import.extend(onnx.helper.make_opsetid(*version) for version in versions)
    pairs = [(first.graph.output[0].name, "features")]
    outputs = [f"head/{output}"]
    merged = onnx.compose.merge_models(first, second, pairs, outputs=outputs, prefix2="head/")
    merged.graph.name = "pretrained"
    return bytes(merged.SerializeToString())


def move_weights(graph: bytes, network: bytes) -> tuple[bytes, bytes]:
    """Move the weights of a network out of a graph that contains it; return graph and weights.

    The graph then reads them from a file that is called by their SHA-256.
    """
    model = onnx.load_from_string(graph)
    names = {weights.name for weights in onnx.load_from_string(network).graph.initializer}
    moved = [w for w in model.graph.initializer if w.name in names and w.ByteSize() > FEW_BYTES]
    content = b"".join(weights.raw_data for weights in moved)
    file, offset = sha256(content), 0
    for weights in moved:
        size = len(weights.raw_data)
        onnx.external_data_helper.set_external_data(weights, file, offset, size)
        weights.ClearField("raw_data")
        offset += size
    return bytes(model.SerializeToString()), content
