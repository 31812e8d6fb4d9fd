"""Thresholds of decisions: by hand, against brute force, and at their limits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from project_package.thresholds import (
    break_even,
    least_cost_threshold,
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
