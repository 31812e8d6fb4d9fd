"""Contributions: how far each feature moved the log-odds, computed inside the ONNX graph.

A tree's answer is its mean answer plus what each split on the way to the leaf adds; a split's
share goes to the feature that it asks about (Saabas 2014). That is a constant of the leaf, so one
ensemble gives all of it in one pass: a target a feature, and a last one for the log-odds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SCORE, CONTRIBUTIONS = "score", "contributions"
LANES = 16
"""Copies of each log-odds: vector code meets whole blocks of one value only, so that the last bit
of a score does not depend on where in a batch its row stands."""


@dataclass(frozen=True)
class Trees:
    """The nodes of every tree, side by side; `left` is where the split's test holds."""

    attributes: dict[str, Any]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    value: NDArray[np.float32]
    leaf: NDArray[np.bool_]
    strict: NDArray[np.bool_]
    """The test is `<`, not `<=`."""
    weight: NDArray[np.float64]
    """The answer of a leaf; 0 elsewhere."""
    roots: NDArray[np.int64]


def with_contributions(model: onnx.ModelProto, background: NDArray[np.float32]) -> onnx.ModelProto:
    """Give a graph with the outputs `score`, (rows,), and `contributions`, (rows, features).

    `model` is a binary boosting as skl2onnx and onnxmltools write it: a TreeEnsembleClassifier
    whose answers add up to log-odds, with one input of shape (rows, features). `background` rows
    weigh the branches. Raises ValueError when the answers are none.
    """
    graph, features = model.graph, background.shape[1]
    place = [node.op_type for node in graph.node].index("TreeEnsembleClassifier")
    node = graph.node[place]
    trees = _read(node)
    if trees.attributes["post_transform"] != b"LOGISTIC":
        raise ValueError("the trees must add up to log-odds")
    attributes: dict[str, Any] = {
        name: value for name, value in trees.attributes.items() if name.startswith("nodes_")
    }
    attributes |= _targets(trees, _mean_answers(trees, background), features)
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [node.input[0]],
        ["moved"],
        domain="ai.onnx.ml",
        n_targets=features + 1,
        base_values=[0.0] * features + list(trees.attributes.get("base_values", [0.0])),
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )
    del graph.node[place:]
    return finish(model, [ensemble, *_parted(graph, features)], features)


def _parted(graph: onnx.GraphProto, features: int) -> list[onnx.NodeProto]:
    """Give the nodes that part contributions from log-odds and make these the score.

    In float64: ONNX Runtime's float32 sigmoid is off by 2e-7, falls where it should rise, and
    passes 1.
    """
    constants = {"parts": [features, 1], "lanes": [1, LANES], "lane": 0}
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.int64), name)
        for name, value in constants.items()
    )
    return [
        helper.make_node("Split", ["moved", "parts"], [CONTRIBUTIONS, "log_odds"], axis=1),
        helper.make_node("Cast", ["log_odds"], ["precise"], to=TensorProto.DOUBLE),
        helper.make_node("Expand", ["precise", "lanes"], ["copies"]),
        helper.make_node("Sigmoid", ["copies"], ["probabilities_of_fraud"]),
        helper.make_node("Gather", ["probabilities_of_fraud", "lane"], ["probability"], axis=1),
        helper.make_node("Cast", ["probability"], [SCORE], to=TensorProto.FLOAT),
    ]


def finish(model: onnx.ModelProto, nodes: list[onnx.NodeProto], features: int) -> onnx.ModelProto:
    """Add nodes that give score and contributions, name them as the outputs, check the graph."""
    graph = model.graph
    graph.node.extend(nodes)
    rows = graph.input[0].type.tensor_type.shape.dim[0].dim_param or "rows"
    del graph.output[:]
    for name, shape in ((SCORE, [rows]), (CONTRIBUTIONS, [rows, features])):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    onnx.checker.check_model(model)
    return model


def _read(node: onnx.NodeProto) -> Trees:
    found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    keys = list(zip(found["nodes_treeids"], found["nodes_nodeids"], strict=True))
    place = {key: index for index, key in enumerate(keys)}
    modes = np.array([mode.decode() for mode in found["nodes_modes"]])
    trees = np.array(found["nodes_treeids"])
    weight = np.zeros(len(keys))
    leaves = zip(found["class_treeids"], found["class_nodeids"], strict=True)
    for key, answer in zip(leaves, found["class_weights"], strict=True):
        weight[place[key]] = answer

    def children(name: str) -> NDArray[np.int64]:
        pairs = zip(found["nodes_treeids"], found[name], strict=True)
        return np.array([place.get(key, 0) for key in pairs])

    return Trees(
        attributes=found,
        left=children("nodes_truenodeids"),
        right=children("nodes_falsenodeids"),
        feature=np.array(found["nodes_featureids"]),
        value=np.array(found["nodes_values"], np.float32),
        leaf=modes == "LEAF",
        strict=modes == "BRANCH_LT",
        weight=weight,
        roots=np.flatnonzero(np.diff(trees, prepend=-1)),
    )


def _mean_answers(trees: Trees, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Give each node's mean answer over the background rows that reach it."""
    total, count = np.zeros(len(trees.leaf)), np.zeros(len(trees.leaf))
    for root in trees.roots:
        at = np.full(len(rows), root)
        path = [at]
        while not trees.leaf[at].all():
            asked = rows[np.arange(len(rows)), trees.feature[at]]
            holds = np.where(trees.strict[at], asked < trees.value[at], asked <= trees.value[at])
            at = np.where(trees.leaf[at], at, np.where(holds, trees.left[at], trees.right[at]))
            path.append(at)
        for before, nodes in zip([None, *path], path, strict=False):
            fresh = np.ones(len(rows), bool) if before is None else nodes != before
            np.add.at(count, nodes[fresh], 1)
            np.add.at(total, nodes[fresh], trees.weight[at][fresh])
    return np.where(trees.leaf, trees.weight, total / np.maximum(count, 1))


def _targets(trees: Trees, mean: NDArray[np.float64], features: int) -> dict[str, list[Any]]:
    """Give every leaf the steps of the mean answer on its way, added up by feature, and itself."""
    ids: dict[str, list[Any]] = {"treeids": [], "nodeids": [], "ids": [], "weights": []}
    for root in trees.roots:
        open_nodes: list[tuple[int, dict[int, float]]] = [(int(root), {})]
        while open_nodes:
            node, steps = open_nodes.pop()
            if trees.leaf[node]:
                for target, moved in [*sorted(steps.items()), (features, trees.weight[node])]:
                    ids["treeids"].append(trees.attributes["nodes_treeids"][node])
                    ids["nodeids"].append(trees.attributes["nodes_nodeids"][node])
                    ids["ids"].append(target)
                    ids["weights"].append(float(moved))
                continue
            feature = int(trees.feature[node])
            for child in (int(trees.left[node]), int(trees.right[node])):
                moved = steps.get(feature, 0.0) + mean[child] - mean[node]
                open_nodes.append((child, {**steps, feature: moved}))
    return {f"target_{name}": values for name, values in ids.items()}
