"""The one way to predict: features -> encode -> ONNX -> decode -> predictions."""

from collections.abc import Sequence
from typing import Any, Generic

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors
from pydantic import ValidationError
from pydantic_core import from_json

from .bundle import Bundle
from .contract import Api, Assets, Columns, Past, Request, Response, length
from .errors import UserError
from .history import joined

ROWS_AT_ONCE = 65_536
UNFIT = (
    KeyError,  # an asset that is not there
    ValidationError,
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)
"""What reading or running a bundle raises that is not of this use case; they share no base."""


class Predictor(Generic[Request, Response, Assets]):
    """A bundle, loaded and ready: used by evaluation, batch, HTTP and shadow alike.

    `signature` names inputs and outputs of the graph with their types.
    """

    def __init__(self, bundle: Bundle, api: Api[Request, Response, Assets]) -> None:
        """Load it; raise UserError when it is no bundle of this use case."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # scale by processes: facts of serving beat one pool
        options.inter_op_num_threads = 1
        self.api = api
        self.bundle = bundle
        try:
            self.assets = api.assets(bundle.assets)
            self._session = onnxruntime.InferenceSession(
                bundle.graph, options, providers=["CPUExecutionProvider"]
            )
        except UNFIT as error:
            first = str(error).splitlines()[0]
            raise UserError(f"This bundle cannot be used for {api.name}: {first}") from error
        self._outputs = [output.name for output in self._session.get_outputs()]
        self.signature = {
            what: tuple((end.name, end.type) for end in ends)
            for what, ends in (
                ("inputs", self._session.get_inputs()),
                ("outputs", self._session.get_outputs()),
            )
        }

    def outputs(self, features: Columns) -> Columns:
        """Give the named outputs of the graph, one row per row of `features`."""
        inputs = dict(self.api.encode(features, self.assets))
        return dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))

    def predict(self, features: Columns) -> Columns:
        """Give the predictions for features, one row each; memory is bounded by slices of rows."""
        parts = []
        for start in range(0, length(features), ROWS_AT_ONCE):
            part = {name: rows[start : start + ROWS_AT_ONCE] for name, rows in features.items()}
            parts.append(self.api.decode(self.outputs(part), part, self.assets))
        if len(parts) == 1:
            return parts[0]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def answer(
        self, requests: Sequence[Request], pasts: Sequence[Past] | None = None
    ) -> list[Response]:
        """Give one response per request; without `pasts`, with the past that each carries."""
        predictions = self.predict(features(self.api, requests, pasts))
        return [from_json(text) for text in self.api.respond(predictions, self.assets)]


def features(
    api: Api[Request, Any, Any], requests: Sequence[Request], pasts: Sequence[Past] | None = None
) -> Columns:
    """Compute the features of the rows that requests are about: shape (requests,) each."""
    pasts = pasts or [api.carried(request) or {} for request in requests]
    return features_after(api, api.rows(requests), pasts)


def features_after(api: Api[Any, Any, Any], rows: Columns, pasts: Sequence[Past]) -> Columns:
    """Compute the features of rows, each after its own past: shape (rows,) each."""
    together, places = joined(rows, pasts, api.memory.entities)
    return api.features(together, places)
