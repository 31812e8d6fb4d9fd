"""Models that learn from good images alone, and a source without any defect."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.binary_metrics import roc_auc
from project_package.columns import take
from project_package.contract.training import Candidate, Outcome
from project_package.errors import UserError
from project_package.inspection import good_only
from project_package.inspection.dataset import find_copies, load_data
from project_package.inspection.images import encode
from project_package.inspection.metrics import metrics, naive
from project_package.inspection.models import candidates, finish
from project_package.inspection.params import Decide, InspectionParams
from project_package.inspection.pretrained import Backbone
from project_package.inspection.simulator import KINDS, Simulated, simulate
from project_package.inspection.split import split
from project_package.inspection.task import model_of
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.gate import parity
from project_package.lifecycle.make_dataset import make_dataset
from project_package.lifecycle.project import Project
from project_package.lifecycle.train import train

ROWS = simulate(Simulated(parts=300, size=32, strength=80, seed=2))
GOOD = ~ROWS["is_defective"]
NEW = simulate(Simulated(parts=300, size=32, strength=80, seed=3))
PARAMS = InspectionParams.model_validate({"name": "good", "data": {"good_only": True, "size": 32}})


@pytest.fixture(scope="module")
def learners(random_backbone: Backbone) -> tuple[Candidate, ...]:
    return good_only.candidates(random_backbone)


@pytest.mark.parametrize("index", [0, 1])
def test_defects_are_unusual_though_training_has_none(
    learners: tuple[Candidate, ...], index: int
) -> None:
    candidate = learners[index]
    fitted: Any = candidate.fit(ROWS, candidate.start, 7)
    alone: Any = candidate.fit(take(ROWS, GOOD), candidate.start, 7)
    expected = fitted.predict(NEW)
    probability = expected["probability"]
    assert np.array_equal(alone.predict(NEW)["probability"], probability)
    assert roc_auc(NEW["is_defective"], probability) > 0.75
    assert 0.15 < np.median(probability[~NEW["is_defective"]]) < 0.6
    files = fitted.files()
    loaded = model_of(files["model.onnx"], fitted.details, files.get("weights"))
    found = parity(loaded.predict(NEW), expected)
    assert found.largest_difference < 1e-4
    assert found.changed_decisions == 0


@pytest.mark.parametrize("share", [0.001, 0.05])
def test_threshold_rejects_a_share_of_good_images(
    learners: tuple[Candidate, ...], share: float
) -> None:
    fitted: Any = learners[0].fit(ROWS, learners[0].start, 7)
    params = PARAMS.model_copy(update={"decide": Decide(rejected=share)})
    finished = finish(params, fitted, ROWS, Outcome(NEW, fitted.predict(NEW)))
    predictions = finished.predict(NEW)
    good = ~NEW["is_defective"]
    assert predictions["decision"][good].sum() == int(share * good.sum())
    rejected = predictions["decision"][good].mean()
    by_name = {metric.name: metric for metric in metrics(PARAMS, ceiling=False)}
    assert by_name["rejected"].score(NEW, predictions) == pytest.approx(rejected)
    assert not {"cost", "calibration"} & {*by_name}
    assert not naive(PARAMS, NEW)["decision"].any()


def test_clear_defect_has_regions(learners: tuple[Candidate, ...]) -> None:
    fitted: Any = learners[0].fit(ROWS, learners[0].start, 7)
    files = fitted.files()
    model = model_of(files["model.onnx"], fitted.details, files.get("weights"))
    image = NEW["image"][:1].copy()
    image[0, 12:20, 12:20] = 255
    found = model.predict({"image": image, "explain": np.array([True])})
    assert found["probability"][0] > 0.9999
    assert np.unravel_index(found["regions"][0].argmax(), (8, 8)) in {
        (3, 3),
        (3, 4),
        (4, 3),
        (4, 4),
    }


@pytest.mark.parametrize("count", [2, 4])
def test_few_good_images_are_enough(learners: tuple[Candidate, ...], count: int) -> None:
    few = take(ROWS, np.flatnonzero(GOOD)[: 2 * count])
    fitted = learners[0].fit(few, learners[0].start, 7)
    assert np.isfinite(fitted.predict(NEW)["probability"]).all()
    same = {**few, "image": np.repeat(few["image"][:1], 2 * count, axis=0)}
    fitted = learners[0].fit(same, learners[0].start, 7)
    assert np.isfinite(fitted.predict(NEW)["probability"]).all()


def test_parameter_replaces_the_candidates(tmp_path: Path) -> None:
    names = [candidate.name for candidate in candidates(PARAMS, tmp_path)]
    assert names == ["good_statistics", "good_features"]


def test_source_without_defects_gets_some_for_the_test(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "good"
    folder.mkdir(parents=True)
    for name, image in zip(ROWS["name"][GOOD][:80], ROWS["image"][GOOD], strict=False):
        (folder / f"{name}.png").write_bytes(encode(image))
    source = {"source": str(tmp_path / "photos"), "defect_rate": 0.5}
    plain = InspectionParams.model_validate({"name": "plain", "data": {"size": 32, **source}})
    with pytest.raises(UserError, match="Good images are enough"):
        load_data(plain, tmp_path, lambda _: None)
    params = PARAMS.model_copy(update={"data": PARAMS.data.model_copy(update=source)})
    load_data(params, tmp_path, lambda _: None)
    find_copies(params, tmp_path, lambda _: None)
    table = pl.read_parquet(tmp_path / "rows.parquet")
    assert (table["kind"] == "good").sum() == 80
    assert {*table["kind"]} == {"good", *KINDS}
    drawn = table.filter("is_defective")
    assert 25 < len(drawn) < 55
    assert {*drawn["part"]} <= {*table.filter(kind="good")["part"]}
    assert not {*drawn["image"]} & {*table.filter(kind="good")["image"]}
    splits = split(params, tmp_path)
    assert not {*splits.train["part"]} & {*splits.test["part"]}


@pytest.mark.parametrize("use_case", ["inspection"], indirect=True, scope="session")
def test_stages_work_without_defects_in_training(
    untrained: Path, opened: Callable[[Path], Project], tmp_path: Path, random_backbone: Backbone
) -> None:
    root = tmp_path / "project"
    shutil.copytree(untrained, root)
    text = (root / "params.toml").read_text()
    (root / "params.toml").write_text(text.replace("[data]", "[data]\ngood_only = true"))
    project = opened(root)
    training = replace(project.training, candidates=good_only.candidates(random_backbone))
    project = replace(project, training=training)
    make_dataset(project)
    train(project)
    scores = {score.name: score for score in evaluate(project).scores}
    assert scores["roc_auc"].baseline > 0.8  # weights by chance describe little
    assert scores["rejected"].model < 0.1
    assert scores["rejected"].naive == 0
    report = (project.workspace.reports / "report.html").read_text()
    assert "The model has seen no defect" in report
    assert "What each threshold costs" not in report
