"""Smaller graphs: int8 weights and, with calibration, int8 activations (ONNX Runtime).

`static_int8` suits convolutions, whose activations are calibrated on rows; `dynamic_int8` suits
matrix products, such as those of recurrent networks, and needs no rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from .bundle import Files
from .columns import Columns
from .contract.task import Model
from .onnx_runtime import GRAPH

PRODUCTS = ("Gather", "Gemm", "LSTM", "MatMul")
"""Operators whose weights `dynamic_int8` quantises; ONNX Runtime has no other for the GRU."""


@dataclass(frozen=True)
class Quantised:
    """A trained network with a quantised graph: a fitted model (`Fitted`)."""

    graph: bytes
    others: Files
    """The other files: the list of the layers, for people, and what the model reads."""
    details: Any
    """What the served model needs beside its graph, with a method `files`."""
    load: Callable[[bytes, Any], Model]
    """Make the served model of graph and details."""

    def predict(self, rows: Columns) -> Columns:
        """Return what the served model predicts."""
        return self.load(self.graph, self.details).predict(rows)

    def files(self) -> Files:
        """Return the graph, the other files and the details."""
        return {GRAPH: self.graph, **self.others, **self.details.files()}


class Batches(CalibrationDataReader):  # type: ignore[misc]
    """Inputs of the graph, batch by batch."""

    def __init__(self, batches: Iterable[Columns]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> Columns | None:
        """Return the next inputs; None after the last."""
        return next(self._batches, None)


def static_int8(graph: bytes, batches: Iterable[Columns]) -> bytes:
    """Quantise weights per channel, and activations by the ranges that they have on batches.

    The graph has QuantizeLinear and DequantizeLinear nodes (QDQ), from which ONNX Runtime builds
    its integer operators when it loads the graph.
    """
    quantise = partial(
        quantize_static,
        calibration_data_reader=Batches(batches),
        quant_format=QuantFormat.QDQ,
    )
    return _quantised(graph, quantise)


def dynamic_int8(graph: bytes, operators: Sequence[str] = PRODUCTS) -> bytes:
    """Quantise the weights of operators; activations of products while the graph runs.

    These have one range for all rows of a batch, so that an answer depends on the rows beside it.
    With "Gather" alone, embeddings are quantised and it does not.
    """
    return _quantised(graph, partial(quantize_dynamic, op_types_to_quantize=operators))


def _quantised(graph: bytes, quantise: Callable[..., None]) -> bytes:
    """Merge what can be merged, infer shapes, and quantise.

    Weights have 7 of the 8 bits: with 8, sums of products saturate on processors without the
    instructions for them (VNNI), so that a model would answer otherwise there.
    """
    with TemporaryDirectory() as folder:
        full, ready, small = (Path(folder) / name for name in ("full", "ready", "small"))
        full.write_bytes(graph)
        quant_pre_process(full, ready, skip_symbolic_shape=True)
        quantise(ready, small, per_channel=True, reduce_range=True)
        return small.read_bytes()
