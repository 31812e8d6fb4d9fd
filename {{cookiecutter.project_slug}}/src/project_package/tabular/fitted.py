"""A fitted model: pipelines whose predictions are added or averaged, exported as one graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import polars as pl
from onnx import helper
from onnx.compose import add_prefix
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.common.exceptions import MissingConverter, MissingShapeCalculator
from sklearn.pipeline import Pipeline

from ..bundle import Files
from ..columns import Columns
from ..errors import UserError
from ..onnx_export import export_onnx
from ..onnx_runtime import GRAPH
from .decide_and_explain import Details
from .problem import Problem


@dataclass(frozen=True)
class Fitted:
    """The mean of one or more members, and what decisions need."""

    members: tuple[tuple[Pipeline, ...], ...]
    """Each is a pipeline from the features to probabilities or a value; or a pipeline to a value,
    and others to what is left of it, whose values are added."""
    details: Details
    refit: Callable[[Columns], "Fitted"]
    """Fit the same on other rows."""

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        problem = self.details.problem
        table = to_table(problem, rows)
        if problem.classes:
            values = [first.predict_proba(table).astype(np.float32) for (first,) in self.members]
        else:
            values = [sum(step.predict(table) for step in member) for member in self.members]
        return self.details.decide({output(problem): np.mean(values, axis=0)})

    def files(self) -> Files:
        """Return the graph and the details; raise UserError if ONNX cannot express the model."""
        problem = self.details.problem
        kinds = [
            ("numbers", FloatTensorType, problem.numbers),
            ("categories", StringTensorType, problem.categories),
            ("texts", StringTensorType, problem.texts),
        ]
        inputs = [(name, kind([None, len(names)])) for name, kind, names in kinds if names]
        graphs = [[export(pipeline, inputs) for pipeline in member] for member in self.members]
        return {GRAPH: merge(graphs, output(problem)), **self.details.files()}


def output(problem: Problem) -> str:
    """Return the name of the output of a graph."""
    return "probabilities" if problem.classes else "variable"


def to_table(problem: Problem, rows: Columns) -> pl.DataFrame:
    """Return the features as one table, numbers first and in float32."""
    numbers = {name: rows[name].astype(np.float32) for name in problem.numbers}
    others = {name: rows[name] for name in (*problem.categories, *problem.texts)}
    return pl.DataFrame({**numbers, **others})


def export(pipeline: Pipeline, inputs: Sequence[tuple[str, Any]]) -> bytes:
    """Export a pipeline to ONNX; raise UserError where that is not possible."""
    try:
        return export_onnx(pipeline, inputs)
    except (MissingConverter, MissingShapeCalculator, NotImplementedError) as error:
        raise UserError(
            f"{type(pipeline[-1]).__name__} cannot be converted to ONNX, so it cannot be "
            "served: choose another estimator in tabular/estimators.py."
        ) from error


def merge(members: Sequence[Sequence[bytes]], result: str) -> bytes:
    """Merge graphs with the same inputs: outputs of a member are added, and members averaged."""
    models: list[onnx.ModelProto] = []
    totals = []
    for number, graphs in enumerate(members):
        loaded = [onnx.load_model_from_string(graph) for graph in graphs]
        parts = [add_prefix(m, f"{number}.{n} ", rename_inputs=False) for n, m in enumerate(loaded)]
        outputs = [part.graph.output[-1].name for part in parts]
        totals.append(helper.make_node("Sum", outputs, [f"total {number}"]))
        models += parts
    mean = helper.make_node("Mean", [node.output[0] for node in totals], [result])
    graph = helper.make_graph(
        [*(node for model in models for node in model.graph.node), *totals, mean],
        "tabular",
        models[0].graph.input,
        [helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, [None, None])],
        [tensor for model in models for tensor in model.graph.initializer],
    )
    versions = sorted((e.domain, e.version) for model in models for e in model.opset_import)
    opsets = [helper.make_opsetid(*entry) for entry in dict(versions).items()]  # the newest
    merged = helper.make_model(graph, ir_version=models[0].ir_version, opset_imports=opsets)
    return bytes(merged.SerializeToString())
