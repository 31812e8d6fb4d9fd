"""What moved a score: by hand on a tree of two leaves, and that it adds up."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier

from project_package.fraud.explain import with_contributions

OPSETS = {"": 18, "ai.onnx.ml": 3}


def run(model: onnx.ModelProto, rows: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    name = session.get_inputs()[0].name
    return dict(zip(("score", "contributions"), session.run(None, {name: rows}), strict=True))


def logit(score: NDArray[Any]) -> NDArray[np.float64]:
    wide = score.astype(np.float64)
    return np.log(wide / (1 - wide))


def two_leaves(mode: str, holds: float = -1, fails: float = 3) -> onnx.ModelProto:
    """Ask one question, about the second of two features."""
    node = helper.make_node(
        "TreeEnsembleClassifier",
        ["features"],
        ["label", "probabilities"],
        domain="ai.onnx.ml",
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[1, 0, 0],
        nodes_modes=[mode, "LEAF", "LEAF"],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_missing_value_tracks_true=[0, 0, 0],
        class_treeids=[0, 0],
        class_nodeids=[1, 2],
        class_ids=[0, 0],
        class_weights=[holds, fails],
        classlabels_int64s=[0, 1],
        post_transform="LOGISTIC",
    )
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    graph = helper.make_graph([node], "tree", [features], outputs)
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("mode", ["BRANCH_LEQ", "BRANCH_LT"])
def test_a_tree_of_two_leaves_by_hand(mode: str) -> None:
    background = np.array([[9, 0], [9, 0], [9, 0], [9, 1]], np.float32)
    found = run(with_contributions(two_leaves(mode), background), np.array([[0, 0], [0, 1]], "f4"))
    # The mean answer is (3 * -1 + 3) / 4 = 0, and all of a step belongs to the second feature.
    assert found["contributions"].tolist() == [[0, -1], [0, 3]]
    assert logit(found["score"]) == pytest.approx([-1, 3], abs=1e-5)


@pytest.mark.parametrize(("mode", "answers"), [("BRANCH_LEQ", [0, -1]), ("BRANCH_LT", [0, 0])])
def test_a_value_at_the_cut_goes_where_the_test_says(mode: str, answers: list[float]) -> None:
    background = np.array([[9, 0.5], [9, 0.5], [9, 0.5], [9, 1]], np.float32)
    found = run(with_contributions(two_leaves(mode), background), background[:1])
    assert found["contributions"].tolist() == [answers]  # the mean answer is 0, or 3


@pytest.mark.parametrize("log_odds", [0.0, 1.25, 8.875, 16.625, 17.0])
def test_a_score_is_the_probability_to_the_last_bit(log_odds: float) -> None:
    rows = np.array([[9, 0], [9, 1]], np.float32)
    found = run(with_contributions(two_leaves("BRANCH_LEQ", -log_odds, log_odds), rows), rows)
    expected = 1 / (1 + np.exp([log_odds, -log_odds]))
    assert found["score"].tolist() == expected.astype(np.float32).tolist()


def test_answers_that_are_no_log_odds_are_refused() -> None:
    model = two_leaves("BRANCH_LEQ")
    post = next(a for a in model.graph.node[0].attribute if a.name == "post_transform")
    post.s = b"NONE"
    with pytest.raises(ValueError, match="log-odds"):
        with_contributions(model, np.zeros((1, 2), np.float32))


def test_the_background_weighs_the_branches() -> None:
    background = np.array([[9, 0], [9, 1]], np.float32)  # the mean answer is 1
    found = run(with_contributions(two_leaves("BRANCH_LEQ"), background), background)
    assert found["contributions"].tolist() == [[0, -2], [0, 2]]


def test_contributions_of_a_candidate_add_up_to_the_log_odds() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(500, 4)).astype(np.float32)
    labels = rows[:, 0] + rows[:, 1] * rows[:, 2] > 0.5
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(rows, labels)
    types = [("features", FloatTensorType([None, 4]))]
    graph = to_onnx(model, initial_types=types, options={"zipmap": False}, target_opset=OPSETS)
    found = run(with_contributions(graph, rows), rows)
    bias = logit(found["score"]) - found["contributions"].sum(axis=1)
    assert bias == pytest.approx(np.full(500, bias[0]), abs=1e-4)
    assert np.abs(found["contributions"][:, 3]).mean() < np.abs(found["contributions"]).mean()
