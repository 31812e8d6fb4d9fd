"""Confidence is learned from signals; the threshold keeps the rate of answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from project_package.contract.training import Outcome
from project_package.errors import UserError
from project_package.support.answer import Details
from project_package.support.confidence import finish
from project_package.support.dataset import objects
from project_package.support.params import SupportParams

COUNT = 400


@dataclass(frozen=True)
class Answering:
    """A fitted model that has nothing but details."""

    details: Details


def test_questions_of_one_kind_are_an_error() -> None:
    rows = {"answers": objects([("a",)] * 3)}
    outcome = Outcome(rows, {"signals": np.zeros((3, 5), np.float32)})
    details = Details(tokens=9, dense=1, words=1, passages=5, sentences=2)
    with pytest.raises(UserError, match="and some that none answers"):
        finish(SupportParams(name="x"), Answering(details), {}, outcome)


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0])
def test_threshold_keeps_the_rate_of_answers(rate: float) -> None:
    random = np.random.default_rng(0)
    answerable = random.random(COUNT) < 0.6
    signals = random.normal(size=(COUNT, 5)) * [1, 2, 3, 4, 5]
    signals[:, 1] += 3 * answerable
    signals[:, 4] -= 8 * answerable
    rows = {"answers": objects([("a",) if yes else () for yes in answerable])}
    outcome = Outcome(rows, {"signals": signals.astype(np.float32)})
    params = SupportParams.model_validate({"name": "x", "decide": {"answer_rate": rate}})
    details = Details(tokens=9, dense=1, words=1, passages=5, sentences=2)
    finished: Any = finish(params, Answering(details), {}, outcome)
    found = finished.details
    assert found.weights[1] > 0 > found.weights[4]
    confidence = found.confidence(signals)
    answered = confidence >= found.threshold
    assert np.mean(answered[answerable]) == pytest.approx(rate, abs=0.01)
    assert np.mean(answered[~answerable]) < rate
    assert np.mean(confidence[answerable]) > 0.7
    assert np.mean(confidence[~answerable]) < 0.4
