"""The candidates learn three quantiles, and their ONNX graphs give the same predictions."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import optuna
import pytest

from project_package.bundle import Bundle
from project_package.columns import Columns, take
from project_package.contract.training import Candidate
from project_package.demand.features import INPUTS, LEVEL
from project_package.demand.models import CANDIDATES
from project_package.demand.task import DemandModel

EACH = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)


def weeks(count: int = 900) -> Columns:
    """Return features of which one doubles the sales, and units that vary by chance."""
    random = np.random.default_rng(0)
    columns = {name: random.random(count).astype(np.float32) for name in INPUTS}
    columns[LEVEL] = random.gamma(2, 20, count).astype(np.float32)
    mean = columns[LEVEL] * np.where(columns["ad_front"] > 0.5, 2, 1)
    return {**columns, "units": random.poisson(mean).astype(np.float64)}


def loaded(files: Any) -> DemandModel:
    return DemandModel(cast(Bundle, SimpleNamespace(files=files)))


@EACH
def test_learns_the_effect_of_a_promotion(candidate: Candidate) -> None:
    rows = weeks()
    value = candidate.fit(rows, candidate.start, 7).predict(rows)["value"]
    naive = np.mean(np.abs(rows["units"] - rows[LEVEL]))
    assert np.mean(np.abs(rows["units"] - value)) < 0.6 * naive


@EACH
def test_loaded_model_predicts_like_the_fitted_one(candidate: Candidate) -> None:
    rows = weeks()
    model = candidate.fit(take(rows, np.arange(600)), candidate.start, 7)
    found = loaded(model.files()).predict(rows)
    expected = model.predict(rows)
    assert list(expected) == ["value", "low", "high"]
    for name, values in expected.items():
        assert values.shape == (900,)
        assert found[name] == pytest.approx(values, rel=1e-5, abs=1e-5)


@EACH
def test_a_tenth_lies_outside_each_bound(candidate: Candidate) -> None:
    rows = weeks(2_000)
    found = candidate.fit(rows, candidate.start, 7).predict(rows)
    assert 0.02 < np.mean(rows["units"] < found["low"]) < 0.2
    assert 0.02 < np.mean(rows["units"] > found["high"]) < 0.2


@EACH
def test_same_seed_gives_the_same_bytes(candidate: Candidate) -> None:
    rows = weeks()
    one, two, other = (candidate.fit(rows, candidate.start, seed).files() for seed in (7, 7, 8))
    assert one == two
    assert (one == other) == (candidate.name == "linear")


def test_baseline_does_not_extrapolate() -> None:
    rows = weeks()
    candidate = CANDIDATES[0]
    model = candidate.fit(rows, candidate.start, 7)
    far = {**rows, "ad_front": np.full(900, 1e6, np.float32)}
    for predictor in (model, loaded(model.files())):
        assert predictor.predict(far)["value"].max() < 4 * rows["units"].max()


def test_space_suggests_the_settings_of_the_start() -> None:
    linear, xgboost = CANDIDATES
    assert linear.space is None
    assert xgboost.space is not None
    assert xgboost.space(optuna.create_study().ask()).keys() == xgboost.start.keys()
