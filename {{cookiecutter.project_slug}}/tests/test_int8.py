"""Quantised graphs are smaller, answer nearly the same, and have the same bytes each time."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from project_package.columns import Columns
from project_package.int8 import dynamic_int8, static_int8
from project_package.onnx_runtime import OnnxModel

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.random((64, 1, 8, 8), np.float32)
TOKENS = RANDOM.integers(0, 500, (64, 5))


def graph(nodes: list[onnx.NodeProto], inputs: Columns, **weights: tuple[int, ...]) -> bytes:
    """Return a graph from inputs, with any number of rows, to `found`."""
    values = [
        helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(array.dtype), ["rows", *array.shape[1:]]
        )
        for name, array in inputs.items()
    ]
    found = helper.make_tensor_value_info("found", onnx.TensorProto.FLOAT, None)
    random = np.random.default_rng(1)
    constants = [
        numpy_helper.from_array(random.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in weights.items()
    ]
    made = helper.make_graph(nodes, "test", values, [found], constants)
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(made, opset_imports=opset, ir_version=9)
    return bytes(model.SerializeToString())


CONVOLUTION = graph(
    [
        helper.make_node("Conv", ["pixels", "kernel"], ["seen"]),
        helper.make_node("Relu", ["seen"], ["active"]),
        helper.make_node("Conv", ["active", "second"], ["found"]),
    ],
    {"pixels": PIXELS},
    kernel=(64, 1, 3, 3),
    second=(32, 64, 3, 3),
)
EMBEDDING = graph(
    [
        helper.make_node("Gather", ["items", "tokens"], ["embedded"]),
        helper.make_node("MatMul", ["embedded", "weights"], ["found"]),
    ],
    {"tokens": TOKENS},
    items=(500, 64),
    weights=(64, 500),
)


@pytest.mark.parametrize(
    ("full", "small", "rows"),
    [
        (
            CONVOLUTION,
            lambda: static_int8(
                CONVOLUTION, ({"pixels": PIXELS[i : i + 8]} for i in range(0, 64, 8))
            ),
            {"pixels": PIXELS},
        ),
        (EMBEDDING, lambda: dynamic_int8(EMBEDDING), {"tokens": TOKENS}),
    ],
    ids=["static", "dynamic"],
)
def test_quantised_graph_is_small_and_nearly_the_same(full: bytes, small: Any, rows: Any) -> None:
    quantised = small()
    assert len(quantised) < 0.4 * len(full)
    assert quantised == small()
    one, two = (OnnxModel(each, lambda given: given).predict(rows) for each in (full, quantised))
    error = np.abs(one["found"] - two["found"])
    assert 0 < error.max() < 0.1 * np.abs(one["found"]).max()
    few = {name: values[:3] for name, values in rows.items()}
    assert OnnxModel(quantised, lambda given: given).predict(few)["found"].shape[0] == 3


@pytest.mark.parametrize(
    ("quantised", "channels"),
    [
        (lambda: static_int8(CONVOLUTION, [{"pixels": PIXELS}]), {"kernel": 64, "second": 32}),
        (lambda: dynamic_int8(EMBEDDING), {"weights": 500}),
    ],
    ids=["static", "dynamic"],
)
def test_weights_have_a_scale_per_channel_and_seven_bits(
    quantised: Any, channels: dict[str, int]
) -> None:
    graph = onnx.load_from_string(quantised()).graph
    found = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for name, count in channels.items():
        assert found[f"{name}_scale"].shape == (count,)
        weights = found[f"{name}_quantized"]
        assert 60 <= np.abs(weights.astype(int)).max() <= 64


def test_products_are_quantised_only_if_they_are_among_the_operators() -> None:
    graph = onnx.load_from_string(dynamic_int8(EMBEDDING, ["Gather"])).graph
    assert {each.name for each in graph.initializer} & {"items", "weights"} == {"weights"}
