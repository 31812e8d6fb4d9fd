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
PARAMS = InspectionParams(name="tiny")
HAND = {"is_defective": np.array([False] * 10 + [True] * 4)}
FOUND = {
    "probability": np.array([0.0, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0.4, 0.6, 0.9, 0.2, 0.5, 0.7, 1])
}


def test_recall_counts_defects_above_the_good_parts() -> None:
    assert recall_at(0.01, HAND, FOUND) == 0.25  # above 0.9
    assert recall_at(0.2, HAND, FOUND) == 0.75  # above 0.4
    assert np.isnan(recall_at(0.1, {"is_defective": np.ones(3, bool)}, {"probability": np.ones(3)}))


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "recall_5", "cost"])
def test_weight_counts_an_image_several_times(name: str) -> None:
    predictions = {**FOUND, "decision": FOUND["probability"] >= 0.45}
    metric = next(m for m in metrics(PARAMS, ceiling=False) if m.name == name)
    times = np.arange(14) % 4
    again = np.arange(14).repeat(times)
    expected = metric.score(take(HAND, again), take(predictions, again))
    assert metric.score(HAND, predictions, times.astype(np.float64)) == pytest.approx(expected)
    assert metric.score(HAND, predictions) != expected
    assert np.isnan(metric.score(HAND, predictions, np.zeros(14)))


def test_recall_counts_every_threshold() -> None:
    pairs = np.array([0.9, 0.8, 0.7, 0.6])  # a good part and a defect at each
    found = {"probability": np.concatenate([pairs, np.zeros(6), pairs])}
    assert recall_at(0.2, HAND, found) == 0.5


@pytest.mark.parametrize(("name", "good"), [("recall_1", 100), ("recall_5", 20)])
def test_recall_allows_a_false_alarm_in_as_many_good_parts(name: str, good: int) -> None:
    metric = next(m for m in metrics(PARAMS, ceiling=False) if m.name == name)
    rows = {"is_defective": np.arange(good + 4) >= good}
    alarms = np.zeros(good + 4)
    alarms[[0, good]] = 0.9, 0.8  # a false alarm, and a defect below it
    assert metric.score(rows, {"probability": alarms}) == 0.25


def test_cost_and_calibration_error_are_better_when_lower() -> None:
    found = metrics(PARAMS, ceiling=True)
    higher = [metric.name for metric in found if metric.higher_is_better]
    assert higher == ["roc_auc", "average_precision", "recall_1", "recall_5"]
    assert found[0].ceiling is best_roc_auc
    assert not any(metric.ceiling for metric in metrics(PARAMS, ceiling=False))


def test_cost_weighs_both_errors() -> None:
    decisions = {"decision": FOUND["probability"] >= 0.45}
    assert cost(Decide(false_alarm=1, missed=5), HAND, decisions) == pytest.approx((2 + 5) / 14)


def test_best_score_is_that_of_the_ideal_observer() -> None:
    labels = np.array([True, True, True, False])
    rows = {"is_defective": labels, "visibility": np.array([0.0, 1, 50, 9])}
    assert best_roc_auc(rows) == pytest.approx((0.5 + 0.76025 + 1) / 3, abs=1e-5)


def test_every_metric_is_defined_for_model_and_constant() -> None:
    constant = naive(PARAMS, ROWS)
    values = {m.name: m.score(ROWS, constant) for m in metrics(PARAMS, ceiling=True)}
    assert values["roc_auc"] == 0.5
    assert values["recall_5"] == 0
    assert np.isfinite(list(values.values())).all()


@pytest.mark.parametrize(("missed", "is_flagged"), [(2.6, True), (2.4, False)])
def test_naive_decision_weighs_costs_by_the_share_of_defects(
    missed: float, is_flagged: bool
) -> None:
    params = PARAMS.model_copy(update={"decide": Decide(false_alarm=1, missed=missed)})
    constant = naive(params, HAND)
    assert constant["probability"] == pytest.approx(4 / 14)
    assert (constant["decision"] == is_flagged).all()


def test_photos_of_a_part_are_in_one_test_part_with_both_classes() -> None:
    test_parts = periods(ROWS)
    for part in np.unique(ROWS["part"].astype(str)):
        assert len(np.unique(test_parts[ROWS["part"] == part])) == 1
    for number in range(5):
        assert 0.15 < ROWS["is_defective"][test_parts == number].mean() < 0.35


@pytest.mark.parametrize(("defects", "count"), [(0, 1), (3, 3), (9, 3), (12, 1), (6, 5)])
def test_each_part_of_the_test_has_both_classes(defects: int, count: int) -> None:
    rows = {"part": np.arange(12).astype(object), "is_defective": np.arange(12) < defects}
    test_parts = periods(rows)
    assert test_parts.max() + 1 == count
    if count > 1:
        for number in range(count):
            assert len(np.unique(rows["is_defective"][test_parts == number])) == 2


def test_objects_of_a_class_go_to_the_parts_of_the_test_in_turn() -> None:
    names = np.array([f"{number:03}" for number in range(100)], object)
    test_parts = periods({"part": names, "is_defective": np.arange(100) >= 50})
    assert test_parts.tolist() == [number % 5 for number in range(100)]


def test_slices_of_kinds_have_all_good_images() -> None:
    found = slices(ROWS)
    assert {"scratch", "dent", "stain", "dark images", "bright images"} == {*found}
    good = ~ROWS["is_defective"]
    assert (found["dent"] & good).sum() == good.sum()
    assert {*ROWS["kind"][found["dent"]]} == {"good", "dent"}


@pytest.mark.parametrize("rare", ["", "defective", "good"])
def test_dark_and_bright_images_are_slices_if_they_have_enough_of_both_classes(rare: str) -> None:
    light = np.arange(121)
    texts = {name: np.full(121, value, object) for name, value in (("kind", "good"), ("type", ""))}
    is_defective = light % 2 == 1
    is_defective[1] = rare != "defective"  # of the dark images, 20 are defective, or 19
    is_defective[0] = rare == "good"
    found = slices(
        {
            **texts,
            "is_defective": is_defective,
            "image": np.broadcast_to(light[:, None, None], (121, 2, 2)),
            "copied": np.zeros(121, np.bool_),
        }
    )
    assert np.flatnonzero(found["bright images"]).tolist() == [*range(80, 121)]
    assert ("dark images" in found) == (not rare)
    if not rare:
        assert np.flatnonzero(found["dark images"]).tolist() == [*range(40)]


def test_images_without_copies_are_a_slice() -> None:
    copied = np.arange(600) < 50
    assert np.array_equal(slices({**ROWS, "copied": copied})["without copies"], ~copied)


def test_types_of_parts_are_slices() -> None:
    types = np.where(np.arange(600) < 300, "round", "square").astype(object)
    found = slices({**ROWS, "type": types})
    assert np.array_equal(found["round"], types == "round")
    assert np.array_equal(found["square"], types == "square")
