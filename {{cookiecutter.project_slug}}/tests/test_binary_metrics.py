"""Scores of two classes: by hand, and where they are not defined."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from project_package.binary_metrics import (
    average_precision,
    calibration_error,
    roc_auc,
)


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


def test_calibration_error_has_ten_bins() -> None:
    random = np.random.default_rng(0)
    labels = random.random(500) < 0.3
    chances = random.random(500)
    assert calibration_error(labels, chances) == calibration_error(labels, chances, bins=10)


def test_order_of_rows_with_one_probability_does_not_matter() -> None:
    labels = np.arange(1000) < 500
    assert calibration_error(labels, np.full(1000, 0.5)) == 0
    random = np.random.default_rng(0)
    chances = random.integers(0, 4, 1000) / 4
    order = random.permutation(1000)
    found = calibration_error(labels[order], chances[order])
    assert found == pytest.approx(calibration_error(labels, chances))
    assert found > 0.1


def test_calibration_error_is_the_distance_of_shares() -> None:
    labels = np.arange(1000) % 2 == 0
    assert calibration_error(labels, np.full(1000, 0.5)) < 0.02
    assert calibration_error(labels, np.full(1000, 0.9)) > 0.38
