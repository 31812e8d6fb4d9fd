"""A fitted model: pipelines whose predictions are added or averaged, exported as one graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import polars as pl
from numpy.typing import NDArray
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
class Member:
    """What one candidate fits: a pipeline, or one of them and another of its errors."""

    pipelines: tuple[Pipeline, ...]
    """From the features to probabilities or a value; values are added."""
    log: bool = False
    """Whether the pipelines predict log(1 + value)."""
    weight: float = 1.0
    """Share in the mean of all members."""

    def predict(self, table: pl.DataFrame, classes: bool) -> NDArray[Any]:
        """Return probabilities, (rows, classes) in float32, or values, (rows,)."""
        if classes:
            return np.asarray(self.pipelines[0].predict_proba(table), np.float32)
        total = np.sum([pipeline.predict(table) for pipeline in self.pipelines], axis=0)
        return np.asarray(np.expm1(total) if self.log else total)


@dataclass(frozen=True)
class Fitted:
    """The weighted mean of one or more members, and what decisions need."""

    members: tuple[Member, ...]
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        problem = self.details.problem
        table = to_table(problem, rows)
        classes = bool(problem.classes)
        mean = sum(member.weight * member.predict(table, classes) for member in self.members)
        return self.details.decide({output(problem): np.asarray(mean)})

    def files(self) -> Files:
        """Return the graph and the details; raise UserError if ONNX cannot express the model."""
        problem = self.details.problem
        kinds = [
            ("numbers", FloatTensorType, problem.numbers),
            ("categories", StringTensorType, problem.categories),
        ]
        inputs = [(name, kind([None, len(names)])) for name, kind, names in kinds if names]
        graphs = [[export(p, inputs) for p in member.pipelines] for member in self.members]
        graph = merge(graphs, self.members, output(problem))
        return {GRAPH: graph, **self.details.files()}


def output(problem: Problem) -> str:
    """Return the name of the output of a graph."""
    return "probabilities" if problem.classes else "variable"


def to_table(problem: Problem, rows: Columns) -> pl.DataFrame:
    """Return the features as one table, numbers first and in float32."""
    numbers = {name: rows[name].astype(np.float32) for name in problem.numbers}
    return pl.DataFrame({**numbers, **{name: rows[name] for name in problem.categories}})


def export(pipeline: Pipeline, inputs: Sequence[tuple[str, Any]]) -> bytes:
    """Export a pipeline to ONNX; raise UserError where that is not possible."""
    try:
        return export_onnx(pipeline, inputs, "tabular")
    except (MissingConverter, MissingShapeCalculator, NotImplementedError) as error:
        raise UserError(
            f"{type(pipeline[-1]).__name__} cannot be converted to ONNX, so it cannot be "
            "served: choose another estimator in tabular/estimators.py."
        ) from error


def merge(graphs: Sequence[Sequence[bytes]], members: Sequence[Member], result: str) -> bytes:
    """Merge the graphs of the pipelines of members into one, with the same inputs."""
    models: list[onnx.ModelProto] = []
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def add(operation: str, *inputs: str) -> str:
        name = f"{operation} {len(nodes)}"
        nodes.append(helper.make_node(operation, inputs, [name]))
        return name

    def constant(value: float) -> str:
        name = f"constant {len(constants)}"
        constants.append(helper.make_tensor(name, onnx.TensorProto.FLOAT, [1], [value]))
        return name

    weighted = []
    for group, member in zip(graphs, members, strict=True):
        outputs = []
        for graph in group:
            model = onnx.load_model_from_string(graph)
            models.append(add_prefix(model, f"{len(models)} ", rename_inputs=False))
            outputs.append(models[-1].graph.output[-1].name)
        total = add("Sum", *outputs)
        if member.log:
            total = add("Sub", add("Exp", total), constant(1))
        weighted.append(add("Mul", total, constant(member.weight)))
    nodes.append(helper.make_node("Sum", weighted, [result]))
    merged = helper.make_graph(
        [*(node for model in models for node in model.graph.node), *nodes],
        models[0].graph.name,
        models[0].graph.input,
        [helper.make_tensor_value_info(result, onnx.TensorProto.FLOAT, [None, None])],
        [*(tensor for model in models for tensor in model.graph.initializer), *constants],
    )
    imports = sorted((e.domain, e.version) for model in models for e in model.opset_import)
    opsets = [helper.make_opsetid(*entry) for entry in dict(imports).items()]  # the newest
    model = helper.make_model(merged, ir_version=models[0].ir_version, opset_imports=opsets)
    return bytes(model.SerializeToString())
