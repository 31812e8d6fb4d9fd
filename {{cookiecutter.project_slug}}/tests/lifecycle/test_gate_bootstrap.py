"""The paired bootstrap: its estimate and its bounds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain.use_case import TRAINING

from project_package.bundle import Interval
from project_package.columns import weighted_mean
from project_package.contract.training import Metric
from project_package.lifecycle import gate
from project_package.params import Promote

METRIC = Metric("hit", "Hits", lambda _, p, weights: weighted_mean(p["hit"], weights))
LOWER = replace(METRIC, higher_is_better=False)
HITS = st.lists(st.floats(0, 1), min_size=2, max_size=30)


def bootstrap(
    mine: Any, theirs: Any, metric: Metric = METRIC, resamples: int = 50, **columns: Any
) -> Interval:
    """Compare hits; `group` and `period` of the rows can be set."""
    rows = {"group": np.arange(len(mine)), "period": np.zeros(len(mine)), **columns}
    training = replace(
        TRAINING,
        metrics=(metric,),
        periods=lambda rows: rows["period"],
        groups=lambda rows: rows["group"],
    )
    contenders = ({"hit": np.asarray(mine)}, {"hit": np.asarray(theirs)})
    return gate.paired_bootstrap(training, rows, contenders, Promote(resamples=resamples))


@settings(max_examples=30)
@given(HITS, st.floats(-0.5, 0.5))
def test_gain_that_all_rows_share_has_no_spread(hits: list[float], shift: float) -> None:
    found = bootstrap(np.array(hits) + shift, hits)
    assert (found.estimate, found.low, found.high) == pytest.approx((shift,) * 3, abs=1e-9)


@settings(max_examples=30)
@given(HITS, st.randoms(use_true_random=False))
def test_swapped_contenders_have_mirrored_bounds(hits: list[float], random: Any) -> None:
    others = [random.random() for _ in hits]
    one = bootstrap(hits, others)
    two = bootstrap(others, hits)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert bootstrap(hits, others, LOWER) == two


def test_rows_of_a_group_are_drawn_together() -> None:
    hits = np.tile([0.0, 1.0], 50)
    rows, groups = (bootstrap(hits, 0 * hits, group=g) for g in (np.arange(100), np.zeros(100)))
    assert rows.low < 0.5 < rows.high
    assert groups == Interval(0.5, 0.5, 0.5)
    summed = replace(METRIC, compute=lambda _, p, weights: float(weights @ p["hit"]))
    total = bootstrap(np.ones(9), np.zeros(9), summed)
    assert total == Interval(9, 9, 9)  # each resample draws as many groups as there are


def test_bounds_hold_as_often_as_promised() -> None:
    random = np.random.default_rng(0)
    lows = [bootstrap(random.random(80), random.random(80)).low for _ in range(100)]
    assert 0.8 <= np.mean(np.array(lows) < 0) <= 0.97  # one-sided, 0.9


def test_each_bound_alone_has_the_confidence() -> None:
    hits = np.random.default_rng(0).normal(0, 1, 400)
    found = bootstrap(hits, 0 * hits, resamples=4_000)
    distance = 1.2816 * np.std(hits) / 20  # the 90 % quantile of a normal distribution
    assert found.estimate - found.low == pytest.approx(distance, rel=0.08)
    assert found.high - found.estimate == pytest.approx(distance, rel=0.08)


@pytest.mark.parametrize("rows", [10, 1])  # of the last period; resamples without it are skipped
def test_gain_is_the_mean_over_periods_of_any_size(rows: int) -> None:
    hits = np.array([0.0] * 20 + [1.0] * rows)
    assert bootstrap(hits, 0 * hits, period=hits) == Interval(0.5, 0.5, 0.5)
