"""Scores and thresholds of decisions: by hand, against brute force, and at their limits."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from project_package.thresholds import (
    average_precision,
    break_even,
    calibration_error,
    least_cost_threshold,
    roc_auc,
    threshold_costs,
)

# Few distinct scores: ties are where definitions differ.
SCORED = st.lists(
    st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 100), st.integers(1, 60)),
    min_size=2,
    max_size=60,
)
Rows = list[tuple[bool, int, int, int]]
Values = NDArray[Any]


def arrays(rows: Rows) -> tuple[Values, Values, Values]:
    """Return scores, and the cost of each row when it is flagged and when it is not."""
    labels, scores, missed, review = (np.array(part) for part in zip(*rows, strict=True))
    return (scores / 10).astype(np.float32), review.astype(np.float64), missed * labels


def total(threshold: float, scores: Values, flagged: Values, passed: Values) -> float:
    return float(np.where(scores >= threshold, flagged, passed).sum())


def test_scores_are_nan_without_a_class() -> None:
    scores = np.array([0.1, 0.2])
    nobody = np.array([False, False])
    assert math.isnan(average_precision(nobody, scores))
    assert average_precision(~nobody, scores) == 1
    assert math.isnan(average_precision(~nobody, scores, np.zeros(2)))
    assert math.isnan(roc_auc(nobody, scores))
    assert math.isnan(roc_auc(~nobody, scores))
    assert math.isnan(roc_auc(np.array([False, True]), scores, np.array([0.0, 1])))
    assert math.isnan(calibration_error(nobody, scores, np.zeros(2)))


def test_roc_auc_counts_pairs_in_the_right_order() -> None:
    labels = np.array([False, True, True])
    scores = np.array([0.5, 0.9, 0.1])
    assert roc_auc(labels, scores) == 0.5
    assert roc_auc(labels, scores, np.array([1.0, 1, 0])) == 1


@pytest.mark.parametrize("score", [roc_auc, average_precision])
def test_weight_of_a_row_counts_as_copies_of_it(score: Callable[..., float]) -> None:
    labels = np.array([True, False, True, False])
    scores = np.array([0.9, 0.8, 0.3, 0.1])
    weights = np.array([2, 1, 3, 2])
    repeated = score(labels.repeat(weights), scores.repeat(weights))
    assert score(labels, scores, weights) == pytest.approx(repeated)
    assert repeated != score(labels, scores)


def test_calibration_error_by_hand() -> None:
    labels = np.array([False, True, True, True])
    chances = np.array([0.1, 0.3, 0.8, 0.9])
    assert calibration_error(labels, chances, bins=2) == pytest.approx((0.6 + 0.3) / 4)
    weights = np.array([2.0, 1, 1, 0])
    weighted = calibration_error(labels, chances, weights, bins=2)
    assert weighted == pytest.approx((abs(2 * 0.1 - 0.7) + 0.2) / 4)


def test_calibration_error_is_the_distance_of_shares() -> None:
    labels = np.arange(1000) % 2 == 0
    assert calibration_error(labels, np.full(1000, 0.5)) < 0.02
    assert calibration_error(labels, np.full(1000, 0.9)) > 0.38


@given(SCORED)
def test_every_threshold_has_its_cost(rows: Rows) -> None:
    scores, flagged, passed = arrays(rows)
    falling, costs = threshold_costs(scores, flagged, passed)
    assert falling.tolist() == sorted({*scores.tolist()}, reverse=True)
    assert costs.tolist() == [total(limit, scores, flagged, passed) for limit in falling]


@given(SCORED)
def test_chosen_threshold_has_the_least_cost(rows: Rows) -> None:
    scores, flagged, passed = arrays(rows)
    chosen = total(least_cost_threshold(scores, flagged, passed), scores, flagged, passed)
    assert chosen == min(total(limit, scores, flagged, passed) for limit in (*scores, 2.0))


def test_threshold_lies_midway_between_two_scores() -> None:
    scores = np.array([0.8, 0.2])
    passed = np.array([100.0, 0])
    assert least_cost_threshold(scores, np.full(2, 10.0), passed) == pytest.approx(0.5)


@pytest.mark.parametrize(("review", "default", "limit"), [(100.0, 1.3, 2.0), (0.0, 0.2, 0.1)])
def test_threshold_that_flags_nothing_or_everything_can_be_given(
    review: float, default: float, limit: float
) -> None:
    costs = (np.array([0.8, 0.2]), np.full(2, review), np.full(2, 10.0))
    assert least_cost_threshold(*costs) == pytest.approx(default)
    assert least_cost_threshold(*costs, nothing=2.0, everything=0.1) == limit


def test_costs_are_even_at_the_threshold_of_a_constant() -> None:
    chance = break_even(false_positive=1, false_negative=4)
    assert chance == 0.2
    assert (1 - chance) * 1 == pytest.approx(chance * 4)
