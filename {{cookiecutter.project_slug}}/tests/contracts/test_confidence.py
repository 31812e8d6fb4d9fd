"""Confidence is a probability, and the threshold keeps the error rate."""

import numpy as np
import pytest

from project_package.contracts.confidence import temperature, threshold


def test_threshold_keeps_the_error_rate() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    wrong = np.array([False, False, True, False, True])
    assert threshold(confidence, wrong, 0.05) == pytest.approx(0.75)
    assert threshold(confidence, wrong, 0.3) == pytest.approx(0.55)
    assert threshold(confidence, ~wrong, 0.05) > 1  # which none reaches
    assert threshold(confidence, wrong, 0.5) == pytest.approx(0.5)


def test_equal_confidences_are_accepted_together_or_not() -> None:
    confidence = np.array([0.9, 0.8, 0.8, 0.7], np.float32)
    wrong = np.array([False, False, True, True])
    assert threshold(confidence, wrong, 0.05) == pytest.approx(0.85)
    assert threshold(confidence, wrong, 0.34) == pytest.approx(0.75)


def test_temperature_makes_confidence_a_probability() -> None:
    random = np.random.default_rng(0)
    chances = random.dirichlet([1, 1, 1], 5_000)
    drawn = (chances.cumsum(axis=1) > random.random((5_000, 1))).argmax(axis=1)
    right = np.array(["a", "b", "c"], object)[drawn]
    assert temperature(chances**4, right, ("a", "b", "c")) == pytest.approx(4, rel=0.1)
