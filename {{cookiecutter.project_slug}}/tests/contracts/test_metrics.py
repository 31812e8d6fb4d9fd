"""Scores that can be computed by hand, parts of the test, and slices."""

import numpy as np
import pytest

from project_package.columns import take
from project_package.contracts.metrics import METRICS, naive, periods, slices

ROWS = {"type": np.array(["a", "a", "a", "b", "b", "c"], object)}
FOUND = {
    "type": np.array(["a", "a", "b", "b", "a", "a"], object),
    "confidence": np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4]),
    "accepted": np.array([True, True, True, True, False, False]),
}
HAND = {"macro_f1": (4 / 7 + 1 / 2 + 0) / 3, "accuracy": 1 / 2, "coverage": 2 / 3, "errors": 1 / 4}


@pytest.mark.parametrize("name", HAND)
def test_score_is_that_computed_by_hand(name: str) -> None:
    metric = next(one for one in METRICS if one.name == name)
    assert metric.score(ROWS, FOUND) == pytest.approx(HAND[name])


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_weight_counts_a_clause_several_times(metric: object) -> None:
    times = np.array([1, 2, 0, 3, 1, 1])
    again = np.arange(6).repeat(times)
    score = metric.score  # type: ignore[attr-defined]
    expected = score(take(ROWS, again), take(FOUND, again))
    assert score(ROWS, FOUND, times.astype(np.float64)) == pytest.approx(expected)


def test_every_metric_is_defined_for_the_most_frequent_type() -> None:
    found = naive(ROWS)
    assert found["type"].tolist() == ["a"] * 6
    assert found["confidence"] == pytest.approx(0.5)
    assert np.isfinite([metric.score(ROWS, found) for metric in METRICS]).all()


def test_clauses_of_an_owner_are_in_one_part_of_the_test() -> None:
    owners = np.array([f"O{number % 17}" for number in range(200)], object)
    found = periods({"owner": owners})
    for owner in {*owners}:
        assert len({*found[owners == owner]}) == 1
    assert np.bincount(found).min() >= 30
    assert periods({"owner": owners[:1]}).tolist() == [0]


def test_slices_are_of_length_and_of_rare_owners() -> None:
    words = np.repeat([5, 10, 20], 60)
    owners = [f"O{number if number < 60 else 'x'}" for number in range(180)]
    rows = {
        "text": np.array(["word " * count for count in words], object),
        "owner": np.array(owners, object),
    }
    found = slices(rows)
    assert np.flatnonzero(found["short clauses"]).tolist() == [*range(60)]
    assert np.flatnonzero(found["long clauses"]).tolist() == [*range(120, 180)]
    assert np.flatnonzero(found["rare owners"]).tolist() == [*range(60)]
    assert slices(take(rows, np.arange(20))) == {}
