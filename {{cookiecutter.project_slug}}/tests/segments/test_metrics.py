"""Metrics against scikit-learn, SciPy and plain loops; the outside check against planted truth."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import kruskal
from sklearn.metrics import adjusted_rand_score

from project_package.columns import Columns, take
from project_package.segments.features import INPUTS, TRAITS
from project_package.segments.metrics import (
    BASKET_BANDS,
    METRICS,
    QUALITY,
    SILHOUETTE,
    STABILITY,
    agreement,
    explained,
    naive,
    outside,
    segments_differ,
    slices,
    standard,
)

Numbers = NDArray[Any]
Coded = list[tuple[int, int]]
WEIGHED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=20)
"""Segment and weight of each row."""
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30)


def shoppers(count: int) -> Columns:
    """Return random features; every third row repeats the one before it."""
    random = np.random.default_rng(0)
    columns = {name: random.gamma(2, 2, count).round(1) for name in INPUTS}
    again = np.arange(count) - (np.arange(count) % 3 == 2)
    return take(columns, again)


def arrays(coded: Coded) -> tuple[Numbers, Numbers]:
    first, second = np.array(coded).T
    return first, second


def slow_silhouette(rows: Columns, segment: Numbers, weights: Numbers) -> float:
    """Repeat every row as often as it weighs; a copy of a row is no neighbour of it."""
    copies = np.repeat(np.arange(len(segment)), weights)
    apart = cdist(standard(rows), standard(rows))
    scores = []
    for row in copies:
        others = copies[copies != row]
        mean = {s: apart[row, others[segment[others] == s]].mean() for s in set(segment[others])}
        inside = mean.pop(segment[row], None)
        if not mean:
            return math.nan
        nearest = min(mean.values())
        larger = max(inside or 0, nearest) or 1
        scores.append(0 if inside is None else (nearest - inside) / larger)
    return float(np.mean(scores)) if scores else math.nan


@example([(0, 1)] * 6)  # one segment: NaN
@example([(0, 1), (0, 2), (0, 1), (1, 0)])  # and one that has no weight
@given(WEIGHED)
def test_silhouette_equals_its_definition_with_weights(coded: Coded) -> None:
    segment, weights = arrays(coded)
    rows = shoppers(len(coded))
    answers = {"segment": segment, "resampled": segment[:, None]}
    with np.errstate(all="raise"):
        found = SILHOUETTE.score(rows, answers, weights.astype(np.float64))
    assert found == pytest.approx(slow_silhouette(rows, segment, weights), nan_ok=True)


@given(PAIRS, st.integers(0, 99))
def test_agreement_is_the_adjusted_rand_index_by_weights(coded: Coded, seed: int) -> None:
    one, two = arrays(coded)
    weights = np.random.default_rng(seed).integers(0, 3, len(coded))
    assert math.isnan(agreement(one, two, 1.0 * (np.arange(len(coded)) == 1)))
    weights[:2] = 1
    expected = adjusted_rand_score(one.repeat(weights), two.repeat(weights))
    assert agreement(one, two, weights.astype(np.float64)) == pytest.approx(expected)
    assert agreement(two, 7 - one, weights.astype(np.float64)) == pytest.approx(expected)


def test_quality_is_silhouette_times_stability() -> None:
    rows = shoppers(60)
    random = np.random.default_rng(1)
    far = (standard(rows)[:, 0] > 0).astype(np.int64)
    dealt = random.permutation(far)
    for segment, sign in ((far, 1), (dealt, -1)):
        other = np.where(np.arange(60) < 5, 1 - segment, segment)
        answers = {"segment": segment, "resampled": other[:, None]}
        apart = SILHOUETTE.score(rows, answers)
        assert apart * sign > 0
        factor = adjusted_rand_score(segment, other) if sign > 0 else 1
        assert QUALITY.score(rows, answers) == pytest.approx(apart * factor)
        assert math.isnan(QUALITY.score(rows, {**answers, "segment": 0 * segment}))


def test_stability_is_the_mean_agreement_with_all_resamples() -> None:
    random = np.random.default_rng(1)
    segment = np.arange(60) % 3
    others = [segment, random.integers(0, 3, 60), np.where(np.arange(60) < 30, segment, 0)]
    found = STABILITY.score(
        {}, {"segment": segment, "resampled": np.column_stack(others)}, np.ones(60)
    )
    assert found == pytest.approx(np.mean([adjusted_rand_score(segment, o) for o in others]))


def test_household_without_weight_counts_for_no_metric() -> None:
    rows = shoppers(60)
    random = np.random.default_rng(2)
    answers = {"segment": np.arange(60) % 3, "resampled": random.integers(0, 3, (60, 4))}
    weights = random.integers(0, 3, 60).astype(np.float64)
    other = np.where(weights > 0, answers["segment"], 2 - answers["segment"])
    for metric in METRICS:
        found = metric.score(rows, answers, weights)
        assert found == pytest.approx(metric.score(rows, {**answers, "segment": other}, weights))
        assert found != metric.score(rows, answers)
        assert math.isnan(metric.score(rows, answers, np.zeros(60)))


def test_household_at_a_limit_is_in_the_tier_above() -> None:
    assert naive({"spending": np.arange(4.0)})["segment"].tolist() == [0, 1, 2, 2]


def test_naive_segments_are_thirds_of_spending() -> None:
    spending = np.random.default_rng(0).permutation(np.arange(90.0))
    answers = naive({"spending": spending})
    assert answers["segment"].tolist() == (spending // 30).tolist()
    assert answers["resampled"].shape == (90, 20)
    assert 0.5 < STABILITY.score({"spending": spending}, answers) < 1


@given(PAIRS, st.permutations(range(5)))
def test_renumbered_segments_change_nothing(coded: Coded, numbers: list[int]) -> None:
    old, _ = arrays(coded)
    new = np.array(numbers)[old] * 2
    assert not segments_differ({"segment": old}, {"segment": new}).any()


def test_smaller_part_of_a_divided_or_joined_segment_has_changed() -> None:
    whole = np.array([0, 0, 0, 0, 0, 1, 1])
    divided = np.array([2, 2, 2, 0, 0, 1, 1])
    one = {"segment": whole}
    two = {"segment": divided}
    assert segments_differ(one, two).tolist() == (divided == 0).tolist()
    assert segments_differ(two, one).tolist() == (divided == 0).tolist()


def test_new_segment_has_no_number_of_an_old_one() -> None:
    one = {"segment": np.array([1, 1, 1, 0])}
    two = {"segment": np.array([1, 1, 2, 0])}
    assert segments_differ(one, two).tolist() == [False, False, True, False]


@given(st.integers(0, 99))
def test_explained_is_the_statistic_of_kruskal_and_wallis(seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 9, 40).astype(np.float64)
    segment = np.arange(40) % 4
    expected = kruskal(*(values[segment == number] for number in range(4))).statistic / 39
    assert explained(values, segment * 5) == pytest.approx(expected)


def people(count: int = 240) -> tuple[dict[str, Numbers], Numbers]:
    """Return random traits, unknown for every fifth household, and random segments."""
    random = np.random.default_rng(3)
    unknown = np.arange(count) % 5 == 0
    traits = {name: np.where(unknown, np.nan, random.integers(1, 6, count)) for name in TRAITS}
    return traits, random.integers(0, 4, count)


def test_outside_check_finds_a_planted_difference() -> None:
    traits, segment = people()
    noise = outside(traits, segment, 199)
    assert list(noise) == [*TRAITS, "all"]
    assert noise["all"][1] > 0.05
    planted = outside({**traits, "income": traits["income"] + 3 * segment}, segment)
    assert planted["income"][0] == pytest.approx(0.8, abs=0.15)
    assert planted["income"][1] == planted["all"][1] == 1 / 1000
    assert planted["all"][0] == pytest.approx(np.mean([planted[name][0] for name in TRAITS]))


def test_outside_check_compares_two_segments_and_traits_of_two_values() -> None:
    traits, segment = people()
    two = {name: np.where(np.isnan(v), np.nan, v > 3) for name, v in traits.items()}
    assert list(outside(two, segment % 2, 9)) == [*TRAITS, "all"]


def test_outside_check_counts_permutations_that_explain_as_much() -> None:
    traits = dict.fromkeys(TRAITS, np.array([1.0, 1, 2, 2]))
    shares = outside(traits, np.array([0, 0, 1, 1]))
    assert shares["all"][0] == pytest.approx(1)
    assert shares["all"][1] == pytest.approx(1 / 3, abs=0.05)  # two of six permutations


def test_household_is_known_with_every_trait_that_anybody_has() -> None:
    traits = {name: np.ones(3) for name in TRAITS}
    traits[TRAITS[0]] = np.array([1, 1, np.nan])
    traits[TRAITS[1]] = np.full(3, np.nan)
    assert slices({**traits, "baskets": np.ones(3)})["traits known"].tolist() == [True, True, False]


def test_outside_check_is_empty_without_traits() -> None:
    traits, segment = people()
    assert outside(dict.fromkeys(TRAITS, np.ones(240)), segment) == {}
    assert outside(traits, np.zeros(240, np.int64)) == {}


def test_slices_cover_every_household_twice() -> None:
    traits, _ = people(100)
    found = slices({**traits, "baskets": np.arange(100.0)})
    assert np.sum([found[name] for name in BASKET_BANDS], axis=0).tolist() == [1] * 100
    assert found["10-39 baskets"].sum() == 30
    assert (found["traits known"] ^ found["traits not known"]).all()
    assert found["traits not known"].sum() == 20
    unknown = dict.fromkeys(TRAITS, np.full(100, np.nan))
    assert not slices({**unknown, "baskets": np.ones(100)})["traits known"].any()
