"""A model on ONNX Runtime: encode -> graph -> decode."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it reports sessions and hashes of graphs

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from .columns import Columns, concatenate, length
from .errors import OTHER_CODE, ModelError

GRAPH = "model.onnx"  # the file of a bundle that holds the graph
WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
ROWS_AT_ONCE = 500  # a network takes hundreds of kB for each
ONNX_ERRORS = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)
"""ONNX Runtime's exceptions share no base class."""
Encode: TypeAlias = Callable[[Columns], Columns]
"""Turn rows into the named inputs of the graph."""
Decode: TypeAlias = Callable[[Columns, Columns], Columns]
"""Turn rows and the named outputs of the graph into predictions."""


class OnnxModel:
    """A graph, with what comes before and after it."""

    def __init__(
        self,
        graph: bytes,
        encode: Encode,
        decode: Decode = lambda _, outputs: outputs,
        weights: Path | None = None,
    ) -> None:
        """Load the graph; raise ModelError when ONNX Runtime cannot run it.

        Weights may be in another file, which the graph names: it is mapped into memory.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one thread per process: scale by workers
        if weights:
            options.add_session_config_entry(WEIGHTS_FOLDER, str(weights.parent))
            options.add_session_config_entry("session.disable_prepacking", "1")  # no copy
        self._encode = encode
        self._decode = decode
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except ONNX_ERRORS as error:
            raise ModelError(f"the graph cannot be loaded: {str(error).splitlines()[0]}") from error
        self.inputs = [one.name for one in self._session.get_inputs()]
        self.outputs = [output.name for output in self._session.get_outputs()]

    def predict(self, rows: Columns) -> Columns:
        """Predict rows, in slices that bound the memory; raise ModelError if columns do not fit."""
        parts = []
        for start in range(0, max(length(rows), 1), ROWS_AT_ONCE):
            part = {name: values[start : start + ROWS_AT_ONCE] for name, values in rows.items()}
            parts.append(self._decode(part, self._run(part)))
        return parts[0] if len(parts) == 1 else concatenate(parts)

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return the inputs and outputs of the graph, and what it predicts."""
        steps = {"input": self._encode(rows), "output": self._run(rows)}
        return {**steps, "prediction": self.predict(rows)}

    def _run(self, rows: Columns) -> Columns:
        try:
            outputs = self._session.run(self.outputs, dict(self._encode(rows)))
        except KeyError as error:
            raise ModelError(f"the rows have no column {error}, {OTHER_CODE}") from error
        except ONNX_ERRORS as error:
            raise ModelError(f"the graph cannot be run: {str(error).splitlines()[0]}") from error
        return dict(zip(self.outputs, outputs, strict=True))
