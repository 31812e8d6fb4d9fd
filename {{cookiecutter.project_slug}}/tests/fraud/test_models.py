"""The candidates learn, are exported as they are, and say what moved a score."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from project_package.contract import Candidate, Columns, Hyperparameters, take
from project_package.fraud.metrics import auc
from project_package.fraud.features import INPUTS
from project_package.fraud.models import CANDIDATES, matrix

EACH = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
BOOSTINGS = pytest.mark.parametrize(
    "candidate", CANDIDATES[1:], ids=lambda candidate: candidate.name
)


def payments(count: int = 600) -> Columns:
    """Give features of which two tell a fraud, and nothing tells it surely."""
    random = np.random.default_rng(0)
    columns = {name: random.gamma(2, 2, count).astype(np.float32) for name in INPUTS}
    risk = columns["terminal_risk_7d"] + columns["amount_over_typical"]
    return {**columns, "is_fraud": risk + random.normal(size=count) > 11}


def answer(graph: bytes, rows: Columns) -> dict[str, NDArray[Any]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # as Predictor has it: threads add up in another order
    session = onnxruntime.InferenceSession(graph, options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"features": matrix(rows)}), strict=True))


@EACH
def test_it_learns_a_small_batch(candidate: Candidate[Any]) -> None:
    rows = payments(100)
    scores = candidate.predict(candidate.fit(rows, candidate.start, 7), rows)["score"]
    assert auc(rows["is_fraud"], scores) > 0.98


@EACH
def test_the_graph_answers_as_the_model(candidate: Candidate[Any]) -> None:
    rows = payments()
    model = candidate.fit(take(rows, np.arange(400)), candidate.start, 7)
    found = answer(candidate.export(model, rows), rows)
    assert found["score"].shape == (600,)
    assert found["score"].dtype == np.float32
    assert found["contributions"].shape == (600, len(INPUTS))
    assert np.abs(found["score"] - candidate.predict(model, rows)["score"]).max() < 1e-5


@EACH
def test_contributions_add_up_to_the_log_odds(candidate: Candidate[Any]) -> None:
    rows = payments()
    found = answer(candidate.export(candidate.fit(rows, candidate.start, 7), rows), rows)
    inner = (found["score"] > 0.001) & (found["score"] < 0.999)  # float32 ends beyond
    score = found["score"][inner].astype(np.float64)
    bias = np.log(score / (1 - score)) - found["contributions"][inner].sum(axis=1)
    assert inner.sum() > 100
    assert bias == pytest.approx(np.full(len(bias), bias[0]), abs=1e-4)


@BOOSTINGS
def test_a_row_has_the_same_bits_in_every_batch(candidate: Candidate[Any]) -> None:
    rows = payments()
    graph = candidate.export(candidate.fit(rows, candidate.start, 7), rows)
    together = answer(graph, rows)
    for count in range(1, 71):
        some = np.arange(count, 2 * count)
        found = answer(graph, take(rows, some))
        assert all(found[name].tobytes() == together[name][some].tobytes() for name in found)


@EACH
def test_the_same_seed_gives_the_same_bytes(candidate: Candidate[Any]) -> None:
    rows = payments()
    one, two = (candidate.export(candidate.fit(rows, candidate.start, 7), rows) for _ in range(2))
    assert one == two


def test_another_seed_gives_another_boosting() -> None:
    rows, candidate = payments(), CANDIDATES[-1]
    one, two = (candidate.export(candidate.fit(rows, candidate.start, s), rows) for s in (7, 8))
    assert one != two


class Middle:
    """Suggest the middle of every range."""

    def suggest_float(self, _: str, low: float, high: float, *, log: bool = False) -> float:
        return (low * high) ** 0.5 if log else (low + high) / 2

    def suggest_int(self, _: str, low: int, high: int, *, log: bool = False) -> int:
        return round((low * high) ** 0.5) if log else (low + high) // 2


@BOOSTINGS
def test_a_space_suggests_what_the_start_sets(candidate: Candidate[Any]) -> None:
    assert candidate.space is not None
    suggested: Hyperparameters = candidate.space(Middle())
    assert suggested.keys() == candidate.start.keys()
    assert candidate.fit(payments(100), suggested, 7)


def test_the_first_candidate_is_the_simple_one() -> None:
    assert CANDIDATES[0].name == "logistic"
    assert CANDIDATES[0].space is None
