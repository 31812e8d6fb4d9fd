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
SETTINGS = {"width": 8, "dropout": 0.1, "rate": 0.005}


class Killed(Exception):
    """Stands for a kill."""


def trained(
    folder: Path, epochs: int, killed_after: int = 99, held_out: int = 0
) -> tuple[Any, dict[int, float]]:
    """Train a network; return it, and the losses of the epochs that it ran."""
    seen: dict[int, float] = {}

    def report(epoch: int, scores: Mapping[str, float]) -> None:
        assert scores.keys() == {"loss", *(("val_loss", "score") if held_out else ())}
        seen[epoch] = scores["loss"]
        if epoch == killed_after:
            raise Killed

    run = cnn.Run(Network(epochs=epochs, batch=16), 7, folder / "epochs.weights.h5", report)
    others = EXAMPLES[0][:held_out], EXAMPLES[1][:held_out]
    try:
        return cnn.fit(cnn.build(32, SETTINGS, 7), SETTINGS["rate"], EXAMPLES, others, run), seen
    except Killed:
        return None, seen


def test_killed_training_continues_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, losses = trained(tmp_path / "whole", 4)
    _, before = trained(tmp_path / "killed", 4, killed_after=1)
    continued, after = trained(tmp_path / "killed", 4)
    assert [*before] == [0, 1]
    assert [*after] == [2, 3]
    assert before | after == losses
    assert all(map(np.array_equal, continued.get_weights(), whole.get_weights()))
    again, seen = trained(tmp_path / "killed", 4)
    assert not seen  # it has finished: its weights are read
    assert all(map(np.array_equal, again.get_weights(), whole.get_weights()))


def test_held_out_images_score_each_epoch(tmp_path: Path) -> None:
    whole, losses = trained(tmp_path / "whole", 2)
    scored, same = trained(tmp_path / "scored", 2, held_out=50)  # asserts what is reported
    assert losses == same
    assert all(map(np.array_equal, scored.get_weights(), whole.get_weights()))


def test_answer_is_the_mean_over_flips(tmp_path: Path) -> None:
    network, _ = trained(tmp_path, 1)
    pixels = EXAMPLES[0][:5].astype(np.float32)
    found = network.predict(pixels, verbose=0)
    for flipped in (pixels[:, ::-1], pixels[:, :, ::-1], pixels[:, ::-1, ::-1]):
        np.testing.assert_allclose(network.predict(flipped, verbose=0), found, atol=1e-6)


def test_a_loss_that_is_not_a_number_is_explained(tmp_path: Path) -> None:
    network = cnn.build(32, SETTINGS, 7)
    run = cnn.Run(Network(epochs=2, batch=16), 7, tmp_path / "epochs.weights.h5", ignore)
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
