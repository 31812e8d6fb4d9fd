"""Networks are trained as asked, resumed after a kill, and exported without a change of answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from optuna.trial import FixedTrial

from project_package.binary_metrics import roc_auc
from project_package.contract.training import ignore
from project_package.errors import UserError
from project_package.inspection import cnn
from project_package.inspection.features import statistics
from project_package.inspection.models import cache_key, candidates, threshold
from project_package.inspection.params import Decide, InspectionParams, Network
from project_package.inspection.simulator import Simulated, simulate

ROWS = simulate(Simulated(parts=100, size=32, strength=80, seed=2))
EXAMPLES = (ROWS["image"][..., None], ROWS["is_defective"].astype(np.float32))
PATIENCE = 3
SETTINGS = {"width": 8, "dropout": 0.1, "rate": 0.005}


class Killed(Exception):
    """Stands for a kill."""


def trained(checkpoints: Path, epochs: int, killed_after: int = 99) -> tuple[Any, dict[int, float]]:
    """Train a network; return the epochs that it ran with their losses on held-out images."""
    seen: dict[int, float] = {}

    def report(epoch: int, scores: Mapping[str, float]) -> None:
        assert scores.keys() == {"loss", "val_loss", "score"}
        seen[epoch] = scores["val_loss"]
        if epoch == killed_after:
            raise Killed

    network = cnn.build(32, SETTINGS, 7)
    run = cnn.Run(Network(epochs=epochs, patience=PATIENCE, batch=16), checkpoints, report)
    try:
        cnn.fit(network, SETTINGS["rate"], EXAMPLES, EXAMPLES, run)
    except Killed:
        return network, seen
    return network, seen


def test_killed_training_continues_with_the_next_epoch(tmp_path: Path) -> None:
    _, before = trained(tmp_path, 4, killed_after=2)
    _, after = trained(tmp_path, 4)
    assert [*before] == [0, 1, 2]
    assert [*after] in ([2, 3], [3])  # the epoch that was killed may not be in the checkpoint
    network, again = trained(tmp_path, 4)
    assert not again  # it has finished: its weights are read
    assert network.predict(EXAMPLES[0], verbose=0).std() > 0


@pytest.mark.parametrize("killed_after", [99, 4, 6])
def test_network_has_the_weights_of_its_best_epoch(tmp_path: Path, killed_after: int) -> None:
    _, losses = trained(tmp_path, 8, killed_after)
    network, more = trained(tmp_path, 8)
    found = cnn.augmented(network, 0.1, 1).evaluate(*EXAMPLES, 16, verbose=0)[0]
    counted = [loss for epoch, loss in (losses | more).items() if epoch >= PATIENCE]
    assert found == pytest.approx(min(counted))


def test_a_loss_that_is_not_a_number_is_explained(tmp_path: Path) -> None:
    network = cnn.build(32, SETTINGS, 7)
    run = cnn.Run(Network(epochs=2, batch=16), tmp_path, ignore)
    with pytest.raises(UserError, match="The loss of epoch 0 is not a number"):
        cnn.fit(network, np.inf, EXAMPLES, EXAMPLES, run)


def test_same_seed_gives_the_same_graph(tmp_path: Path) -> None:
    one, two = (cnn.to_onnx(trained(tmp_path / name, 2)[0]) for name in "ab")
    assert one == two


def test_graph_predicts_as_the_network_for_any_number_of_rows(tmp_path: Path) -> None:
    network, _ = trained(tmp_path, 2)
    session = onnxruntime.InferenceSession(cnn.to_onnx(network))
    pixels = ROWS["image"][..., None].astype(np.float32)
    for count in (1, 7):
        (found,) = session.run(None, {"pixels": pixels[:count]})
        np.testing.assert_allclose(found, network.predict(pixels[:count], verbose=0), atol=1e-6)


def save_backbone(path: Path, channels: int, flat: bool = False) -> Any:
    """Save a small model from images to a feature map, or to their mean; return its weights."""
    import keras  # noqa: PLC0415  after cnn has set the environment for it

    layers = [
        keras.Input((None, None, channels)),
        keras.layers.Rescaling(1 / 128, -1),
        keras.layers.Normalization(mean=[0.1] * channels, variance=[0.5] * channels),
        keras.layers.Conv2D(8, 3, 2, activation="relu"),
    ]
    model = keras.Sequential(layers + [keras.layers.GlobalAveragePooling2D()] * flat)
    model.save(path)
    return model.get_weights()


@pytest.mark.parametrize("channels", [1, 3])
def test_backbone_is_frozen_and_exported(tmp_path: Path, channels: int) -> None:
    weights = save_backbone(tmp_path / "backbone.keras", channels)
    options = Network(epochs=2, batch=16, backbone="backbone.keras")
    _, candidate = candidates(InspectionParams(name="tiny", network=options), tmp_path)
    fitted: Any = candidate.fit(ROWS, SETTINGS, 7)
    for before, after in zip(weights, fitted.network.get_weights(), strict=False):
        np.testing.assert_array_equal(before, after)
    files = fitted.files()
    assert b"GlobalAveragePooling2D" in files["layers.txt"]
    session = onnxruntime.InferenceSession(files["model.onnx"])
    (found,) = session.run(None, {"pixels": ROWS["image"][..., None].astype(np.float32)})
    expected = fitted.predict(ROWS)["probability"]
    np.testing.assert_allclose(found.reshape(-1), expected, atol=1e-5)


def test_unusable_backbone_is_explained(tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("no model")
    save_backbone(tmp_path / "flat.keras", 3, flat=True)
    save_backbone(tmp_path / "four.keras", 4)
    for name, reason in (
        ("missing", "cannot be loaded: File not found"),
        ("text", "cannot be loaded"),
        ("flat", r"returns \(None, 8\), not .* include_top=False"),
        ("four", r"takes \(None, None, None, 4\), not images of 32 pixels"),
    ):
        with pytest.raises(UserError, match=reason):
            cnn.build(32, SETTINGS, 7, tmp_path / f"{name}.keras")


def test_baseline_finds_strong_defects() -> None:
    baseline, network = candidates(InspectionParams(name="tiny"), Path())
    fitted = baseline.fit(ROWS, baseline.start, 7)
    assert roc_auc(ROWS["is_defective"], fitted.predict(ROWS)["probability"]) > 0.9
    assert network.space
    trial: Any = FixedTrial(dict(network.start))
    assert network.space(trial) == network.start


def test_statistics_do_not_depend_on_the_light() -> None:
    images = ROWS["image"][:5] // 2
    np.testing.assert_allclose(statistics(images), statistics(images + 40), atol=1e-3)
    assert statistics(images).shape == (5, 14)


def test_checkpoints_are_of_rows_settings_and_seed() -> None:
    params = InspectionParams(name="tiny")
    other = {**ROWS, "is_defective": ~ROWS["is_defective"]}
    more = params.model_copy(update={"network": Network(epochs=9)})
    names = {
        cache_key(ROWS, SETTINGS, params, 7),
        cache_key(other, SETTINGS, params, 7),
        cache_key(ROWS, {**SETTINGS, "width": 16}, params, 7),
        cache_key(ROWS, SETTINGS, more, 7),
        cache_key(ROWS, SETTINGS, params, 8),
        cache_key({**ROWS, "part": ROWS["part"][::-1]}, SETTINGS, params, 7),
    }
    assert len(names) == 6


@pytest.mark.parametrize(("false_alarm", "missed"), [(1, 1), (1, 10), (10, 1), (1e6, 1)])
def test_threshold_has_the_least_cost(false_alarm: float, missed: float) -> None:
    random = np.random.default_rng(0)
    found = random.random(300).astype(np.float32)
    labels = random.random(300) < found

    def cost(limit: float) -> float:
        flagged = found >= limit
        return float(false_alarm * np.sum(flagged & ~labels) + missed * np.sum(~flagged & labels))

    limit = threshold(labels, found, Decide(false_alarm=false_alarm, missed=missed))
    assert cost(limit) == min(cost(each) for each in (*found, 2))
