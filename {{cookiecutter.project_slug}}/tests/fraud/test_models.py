"""The candidates learn, and their exports give the same scores."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from multiplying import MANIFEST

from project_package.binary_metrics import roc_auc
from project_package.bundle import make_bundle
from project_package.columns import Columns, take
from project_package.contract.training import Candidate, Outcome
from project_package.fraud.features import INPUTS
from project_package.fraud.models import CANDIDATES
from project_package.fraud.params import FraudParams
from project_package.fraud.task import load
from project_package.fraud.training import finish

EACH = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)


def payments(count: int = 600) -> Columns:
    """Make features of which two predict fraud, but not for certain."""
    random = np.random.default_rng(0)
    columns = {name: random.gamma(2, 2, count).astype(np.float32) for name in INPUTS}
    risk = columns["terminal_risk_7d"] + columns["amount_over_typical"]
    costs = {"review_cost": np.full(count, 1.0)}
    return {**columns, **costs, "is_fraud": risk + random.normal(size=count) > 11}


@EACH
def test_learns_a_small_batch(candidate: Candidate) -> None:
    rows = payments(100)
    scores = candidate.fit(rows, candidate.start, 7).predict(rows)["score"]
    assert scores.dtype == np.float32
    assert roc_auc(rows["is_fraud"], scores) > 0.98


@EACH
def test_loaded_bundle_equals_fitted_model(candidate: Candidate) -> None:
    rows = payments()
    fitted = candidate.fit(take(rows, np.arange(400)), candidate.start, 7)
    outcome = Outcome(rows, fitted.predict(rows))
    finished = finish(FraudParams(name="test"), fitted, rows, outcome)
    loaded = load(make_bundle(finished.files(), MANIFEST, Path)).predict(rows)
    expected = finished.predict(rows)
    assert np.abs(loaded["score"] - expected["score"]).max() < 1e-5
    assert np.array_equal(loaded["decision"], expected["decision"])
    assert 0 < loaded["decision"].sum() < len(loaded["decision"])
    assert loaded["effects"].shape == (600, len(INPUTS))
    strongest = np.abs(loaded["effects"][loaded["decision"]]).mean(axis=0).argmax()
    assert INPUTS[strongest] in ("terminal_risk_7d", "amount_over_typical")


@EACH
def test_same_seed_gives_the_same_bytes(candidate: Candidate) -> None:
    rows = payments()
    one, two, other = (candidate.fit(rows, candidate.start, seed).files() for seed in (7, 7, 8))
    assert one == two
    assert (one != other) == (candidate.name == "xgboost")  # the only one that draws


@EACH
def test_search_space_has_the_settings_of_start(candidate: Candidate) -> None:
    if candidate.space is not None:
        suggested = candidate.space(optuna.create_study().ask())
        assert suggested.keys() == candidate.start.keys()
        assert candidate.fit(payments(100), suggested, 7).files()
