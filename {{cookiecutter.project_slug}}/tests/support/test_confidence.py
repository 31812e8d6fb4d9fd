"""Confidence is learned from signals; the threshold keeps the rate of answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from project_package.contract.training import Outcome
from project_package.errors import UserError
from project_package.support.answer import Details
from project_package.support.confidence import FOLDS, finish
from project_package.support.dataset import objects
from project_package.support.params import SupportParams
from project_package.support.retrieve import SIGNALS

DETAILS = Details(tokens=9, dense=1, words=1, passages=5, sentences=2)


@dataclass(frozen=True)
class Answering:
    """A fitted model that has nothing but details."""

    details: Details


def fitted_details(signals: Any, answerable: Any, topics: Any, rate: float = 0.9) -> Details:
    """Return what is learned from questions, their signals and topics."""
    answers = objects([("a",) if yes else () for yes in answerable])
    rows = {"answers": answers, "topic": objects([*map(str, topics)])}
    params = SupportParams.model_validate({"name": "x", "decide": {"answer_rate": rate}})
    outcome = Outcome(rows, {"signals": signals.astype(np.float32)})
    finished: Any = finish(params, Answering(DETAILS), {}, outcome)
    details: Details = finished.details
    return details


@pytest.mark.parametrize("answerable", [[True, True, True], [True, True, False]])
def test_each_kind_of_question_is_on_several_topics(answerable: list[bool]) -> None:
    with pytest.raises(UserError, match="that none answers, each on several topics"):
        fitted_details(np.zeros((3, len(SIGNALS))), answerable, topics="xyz")


def made_up(seed: int, count: int) -> tuple[Any, Any]:
    """Return signals of questions, and which of them are answerable."""
    random = np.random.default_rng(seed)
    answerable = random.random(count) < 0.6
    signals = random.normal(size=(count, 6)) * [1, 2, 3, 4, 5, 6]
    signals[:, 1] += 3 * answerable
    signals[:, 4] -= 8 * answerable
    return signals, answerable


@pytest.mark.parametrize("rate", [0.5, 0.9, 1.0])
def test_threshold_keeps_the_rate_of_answers_to_others(rate: float) -> None:
    signals, answerable = made_up(0, 1_000)
    found = fitted_details(signals, answerable, np.arange(1_000) % 20, rate)
    assert found.weights[1] > 0 > found.weights[4]
    signals, answerable = made_up(1, 10_000)  # others
    confidence = found.confidence(signals)
    answered = confidence >= found.threshold
    assert np.mean(answered[answerable]) == pytest.approx(rate, abs=0.04)
    assert np.mean(answered[~answerable]) < rate
    assert np.mean(confidence[answerable]) > 0.7
    assert np.mean(confidence[~answerable]) < 0.4


def test_two_topics_of_a_kind_are_enough_among_many_others() -> None:
    random = np.random.default_rng(0)
    topics = np.arange(3 * FOLDS)
    answerable = ~np.isin(topics, (0, FOLDS))
    signals = random.normal(size=(len(topics), len(SIGNALS)))
    for moved in range(FOLDS):
        assert fitted_details(signals, np.roll(answerable, moved), topics).threshold > 0


def test_threshold_is_lower_where_topics_are_held_out() -> None:
    random = np.random.default_rng(0)
    topics = np.repeat(np.arange(8), 10)
    answerable = random.random(len(topics)) < 0.6
    signals = random.normal(size=(len(topics), 6))
    signals += 2 * random.normal(size=(8, 2, 6))[topics, answerable.astype(int)]  # alike in a topic
    by_topic = fitted_details(signals, answerable, topics).threshold
    by_question = fitted_details(signals, answerable, np.arange(len(topics))).threshold
    assert by_topic < by_question - 0.05
