"""Scores that can be computed by hand, parts of the test, and slices."""

import numpy as np
import pytest

from project_package.columns import take
from project_package.inspection.metrics import (
    best_roc_auc,
    cost,
    metrics,
    naive,
    periods,
    recall_at,
    slices,
)
from project_package.inspection.params import Decide, InspectionParams
from project_package.inspection.simulator import Simulated, simulate

ROWS = {**simulate(Simulated(parts=300, size=32, seed=4)), "copied": np.zeros(600, np.bool_)}
HAND = {"is_defective": np.array([False] * 10 + [True] * 4)}
FOUND = {
    "probability": np.array([0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.6, 0.9, 0.2, 0.5, 0.7, 1])
}


def test_recall_counts_defects_above_the_good_parts() -> None:
    assert recall_at(0.01, HAND, FOUND) == 0.25  # above 0.9
    assert recall_at(0.2, HAND, FOUND) == 0.75  # above 0.4
    assert np.isnan(recall_at(0.1, {"is_defective": np.ones(3, bool)}, {"probability": np.ones(3)}))


@pytest.mark.parametrize("name", ["auroc", "ap", "recall_5", "cost"])
def test_weight_counts_an_image_several_times(name: str) -> None:
    predictions = {**FOUND, "decision": FOUND["probability"] >= 0.45}
    params = InspectionParams(name="tiny")
    metric = next(m for m in metrics(params, ceiling=False) if m.name == name)
    times = np.arange(14) % 4
    again = np.arange(14).repeat(times)
    expected = metric.score(take(HAND, again), take(predictions, again))
    assert metric.score(HAND, predictions, times.astype(np.float64)) == pytest.approx(expected)
    assert metric.score(HAND, predictions) != expected
    assert np.isnan(metric.score(HAND, predictions, np.zeros(14)))


def test_cost_weighs_both_errors() -> None:
    decisions = {"decision": FOUND["probability"] >= 0.45}
    assert cost(Decide(false_alarm=1, missed=5), HAND, decisions) == pytest.approx((2 + 5) / 14)


def test_best_score_is_that_of_the_ideal_observer() -> None:
    rows = {"is_defective": np.array([True, True, False]), "visibility": np.array([0.0, 50, 0])}
    assert best_roc_auc(rows) == pytest.approx(0.75)


def test_every_metric_is_defined_for_model_and_constant() -> None:
    params = InspectionParams(name="tiny")
    constant = naive(params, ROWS)
    values = {m.name: m.score(ROWS, constant) for m in metrics(params, ceiling=True)}
    assert values["auroc"] == 0.5
    assert values["recall_5"] == 0
    assert np.isfinite(list(values.values())).all()


def test_photos_of_a_part_are_in_one_test_part_with_both_classes() -> None:
    test_parts = periods(ROWS)
    for part in np.unique(ROWS["part"].astype(str)):
        assert len(np.unique(test_parts[ROWS["part"] == part])) == 1
    for number in range(5):
        assert 0.15 < ROWS["is_defective"][test_parts == number].mean() < 0.35


def test_small_tests_have_fewer_parts_with_both_classes() -> None:
    rows = {"part": np.arange(12).astype(object), "is_defective": np.arange(12) < 3}
    test_parts = periods(rows)
    assert [rows["is_defective"][test_parts == number].sum() for number in range(3)] == [1, 1, 1]
    assert test_parts.max() == 2


def test_slices_of_kinds_have_all_good_images() -> None:
    found = slices(ROWS)
    assert {"scratch", "dent", "stain", "dark images", "bright images"} == {*found}
    good = ~ROWS["is_defective"]
    assert (found["dent"] & good).sum() == good.sum()
    assert {*ROWS["kind"][found["dent"]]} == {"good", "dent"}


def test_images_without_copies_are_a_slice() -> None:
    copied = np.arange(600) < 50
    assert np.array_equal(slices({**ROWS, "copied": copied})["without copies"], ~copied)


def test_types_of_parts_are_slices() -> None:
    types = np.where(np.arange(600) < 300, "round", "square").astype(object)
    found = slices({**ROWS, "type": types})
    assert np.array_equal(found["round"], types == "round")
    assert np.array_equal(found["square"], types == "square")
