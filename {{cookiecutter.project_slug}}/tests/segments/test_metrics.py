"""Metrics against scikit-learn, SciPy and plain loops; the outside check against planted truth."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import kruskal
from sklearn.metrics import adjusted_rand_score, silhouette_score

from project_package.contract import Columns, take
from project_package.segments.metrics import (
    BASKET_BANDS,
    GOAL,
    METRICS,
    RESAMPLES,
    agreement,
    changed,
    explained,
    known,
    matched,
    naive,
    outside,
    parts,
    quality,
    silhouette,
    slices,
    stability,
    standard,
)
from project_package.segments.features import INPUTS, TRAITS

Numbers = NDArray[Any]
Told = list[tuple[int, int]]
WEIGHED = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=20)
"""Segment and weight of each row."""
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30)


def shoppers(count: int, seed: int = 0) -> Columns:
    """Give random features, of which every third row repeats the one before it."""
    random = np.random.default_rng(seed)
    columns = {name: random.gamma(2, 2, count).round(1) for name in INPUTS}
    again = np.arange(count) - (np.arange(count) % 3 == 2)
    return take(columns, again)


def arrays(told: Told) -> tuple[Numbers, Numbers]:
    first, second = np.array(told).T
    return first, second


def slow_silhouette(rows: Columns, segment: Numbers, weights: Numbers) -> float:
    """Repeat every row as often as it weighs; a copy of a row is no neighbour of it."""
    copies = np.repeat(np.arange(len(segment)), weights)
    apart, scores = cdist(standard(rows), standard(rows)), []
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


def test_positions_are_standardised_and_a_constant_is_no_trouble() -> None:
    placed = standard({**shoppers(30), "recency": np.full(30, 3.0)})
    assert placed.mean(axis=0) == pytest.approx(np.zeros(len(INPUTS)))
    assert placed.std(axis=0) == pytest.approx([0] + [1] * (len(INPUTS) - 1))


@given(st.integers(2, 6), st.integers(0, 99))
def test_silhouette_is_that_of_scikit_learn(segments: int, seed: int) -> None:
    rows, random = shoppers(40, seed), np.random.default_rng(seed)
    segment = random.permutation(np.arange(40) % segments) * 3
    expected = silhouette_score(standard(rows), segment)
    assert silhouette(rows, segment)(np.ones(40)) == pytest.approx(expected, abs=1e-6)


def test_a_household_alone_in_its_segment_has_a_silhouette_of_zero() -> None:
    rows, segment = shoppers(20), np.arange(20) % 2 + 2 * (np.arange(20) == 7)
    expected = silhouette_score(standard(rows), segment)
    assert silhouette(rows, segment)(np.ones(20)) == pytest.approx(expected)


@given(WEIGHED)
def test_a_weight_repeats_a_row_which_is_no_neighbour_of_itself(told: Told) -> None:
    segment, weights = arrays(told)
    rows = shoppers(len(told))
    with np.errstate(all="raise"):
        found = silhouette(rows, segment)(weights.astype(np.float64))
    assert found == pytest.approx(slow_silhouette(rows, segment, weights), nan_ok=True)


def test_one_segment_has_no_silhouette_and_no_quality() -> None:
    rows, one, two = shoppers(6), np.zeros(6, np.int64), np.array([0, 0, 0, 1, 1, 1])
    assert math.isnan(silhouette(rows, one)(np.ones(6)))
    assert math.isnan(silhouette(rows, two)(np.array([1.0, 2, 1, 0, 0, 0])))
    answers = {"segment": one, "resampled": np.zeros((6, 2), np.int64)}
    assert math.isnan(GOAL.weighted(rows, answers)(np.ones(6)))


@given(PAIRS)
def test_agreement_is_the_adjusted_rand_index_of_scikit_learn(told: Told) -> None:
    one, two = arrays(told)
    expected = adjusted_rand_score(one, two)
    assert agreement(one, two, np.ones(len(told))) == pytest.approx(expected)
    assert agreement(two, 7 - one, np.ones(len(told))) == pytest.approx(expected)


@given(PAIRS, st.integers(0, 99))
def test_a_weight_counts_a_row_several_times_in_the_agreement(told: Told, seed: int) -> None:
    one, two = arrays(told)
    weights = np.random.default_rng(seed).integers(0, 3, len(told))
    weights[:2] = 1
    expected = adjusted_rand_score(one.repeat(weights), two.repeat(weights))
    assert agreement(one, two, weights.astype(np.float64)) == pytest.approx(expected)


@pytest.mark.parametrize("weights", [[1, 0, 0], [0, 0, 0]])
def test_fewer_than_two_rows_have_no_agreement(weights: list[int]) -> None:
    codes = np.array([0, 1, 1])
    assert math.isnan(agreement(codes, codes, np.array(weights, np.float64)))


def test_stability_is_the_mean_agreement() -> None:
    segment, other = np.arange(12) % 3, np.arange(12) % 4 // 2
    answers = {"segment": segment, "resampled": np.column_stack([segment, 2 - segment, other])}
    expected = (2 + adjusted_rand_score(segment, other)) / 3
    assert stability(answers)(np.ones(12)) == pytest.approx(expected)


def test_quality_is_the_product_and_the_silhouette_where_that_is_negative() -> None:
    rows, random = shoppers(60), np.random.default_rng(1)
    far = (standard(rows)[:, 0] > 0).astype(np.int64)
    dealt = random.permutation(far)
    for segment, sign in ((far, 1), (dealt, -1)):
        other = np.where(np.arange(60) < 5, 1 - segment, segment)
        answers = {"segment": segment, "resampled": other[:, None]}
        apart = silhouette(rows, segment)(np.ones(60))
        assert apart * sign > 0
        factor = adjusted_rand_score(segment, other) if sign > 0 else 1
        assert quality(rows, answers)(np.ones(60)) == pytest.approx(apart * factor)


def test_the_goal_is_the_first_metric_and_all_are_better_when_higher() -> None:
    rows, segment = shoppers(12), np.arange(12) % 2
    answers = {"segment": segment, "resampled": segment[:, None]}
    assert METRICS[0].name == GOAL.metric
    assert METRICS[0].score(rows, answers) == GOAL.weighted(rows, answers)(np.ones(12))
    assert all(metric.higher_is_better for metric in METRICS)


def test_without_a_model_households_are_cut_into_thirds_of_spending() -> None:
    spending = np.random.default_rng(0).permutation(np.arange(90.0))
    answers = naive({"spending": spending})
    assert answers["segment"].tolist() == (spending // 30).tolist()
    assert answers["resampled"].shape == (90, RESAMPLES)
    assert 0.5 < stability(answers)(np.ones(90)) < 1


@given(PAIRS, st.permutations(range(5)))
def test_new_numbers_change_nothing(told: Told, numbers: list[int]) -> None:
    old, _ = arrays(told)
    new = np.array(numbers)[old] * 2
    assert matched(old, new).tolist() == old.tolist()
    assert not changed({"segment": old}, {"segment": new}).any()


@given(PAIRS)
def test_as_few_households_as_possible_are_called_changed(told: Told) -> None:
    old, new = arrays(told)
    moved = changed({"segment": old}, {"segment": new})
    assert moved.sum() <= (old != new).sum()
    assert moved.sum() == changed({"segment": new}, {"segment": old}).sum()


def test_of_a_segment_that_is_cut_in_two_the_smaller_part_has_changed() -> None:
    old = np.array([0, 0, 0, 0, 0, 1, 1])
    new = np.array([2, 2, 2, 0, 0, 1, 1])
    assert changed({"segment": old}, {"segment": new}).tolist() == (new == 0).tolist()
    assert set(matched(old, new)[3:5]).isdisjoint({0, 1})


def test_of_two_segments_that_become_one_the_smaller_has_changed() -> None:
    old = np.array([2, 2, 2, 0, 0, 1, 1])
    new = np.array([0, 0, 0, 0, 0, 1, 1])
    assert matched(old, new).tolist() == [2, 2, 2, 2, 2, 1, 1]
    assert changed({"segment": old}, {"segment": new}).sum() == 2


@given(st.integers(0, 99))
def test_explained_is_the_statistic_of_kruskal_and_wallis(seed: int) -> None:
    random = np.random.default_rng(seed)
    values, segment = random.integers(0, 9, 40).astype(np.float64), np.arange(40) % 4
    expected = kruskal(*(values[segment == number] for number in range(4))).statistic / 39
    assert explained(values, segment * 5) == pytest.approx(expected)


def people(count: int = 240) -> tuple[dict[str, Numbers], Numbers]:
    """Give traits, all chance, of which every fifth household's are unknown; and segments."""
    random = np.random.default_rng(3)
    unknown = np.arange(count) % 5 == 0
    traits = {name: np.where(unknown, np.nan, random.integers(1, 6, count)) for name in TRAITS}
    return traits, random.integers(0, 4, count)


def test_a_planted_difference_is_found_and_chance_is_called_chance() -> None:
    traits, segment = people()
    noise = outside(traits, segment, 199)
    assert list(noise) == [*TRAITS, "all"]
    assert noise["all"][1] > 0.05
    planted = outside({**traits, "income": traits["income"] + 3 * segment}, segment, 199)
    assert planted["income"][0] == pytest.approx(0.8, abs=0.15)
    assert planted["income"][1] == planted["all"][1] == 1 / 200
    assert planted["all"][0] == pytest.approx(np.mean([planted[name][0] for name in TRAITS]))


def test_chance_is_seldom_called_a_difference() -> None:
    traits, _ = people(60)
    random = np.random.default_rng(0)
    found = [outside(traits, random.integers(0, 4, 60), 49)["all"][1] for _ in range(60)]
    assert np.mean(np.array(found) <= 0.1) < 0.2


def test_shares_that_are_equal_but_for_rounding_are_as_much() -> None:
    values, segment = np.array([1.0, 2, 2, 2, 2, 2, 2]), np.array([0, 0, 1, 1, 1, 2, 2])
    traits = dict.fromkeys(TRAITS, values)
    least = min(explained(values, np.roll(segment, by)) for by in range(7))
    for by in range(7):
        dealt = np.roll(segment, by)
        if explained(values, dealt) <= least + 1e-9:
            assert outside(traits, dealt, 99)["all"][1] == 1


def test_without_traits_there_is_nothing_to_check() -> None:
    traits, segment = people()
    unknown = np.full(240, np.nan)
    assert outside(dict.fromkeys(TRAITS, unknown), segment) == {}
    assert outside(dict.fromkeys(TRAITS, np.ones(240)), segment) == {}
    assert outside(traits, np.zeros(240, np.int64)) == {}


def test_a_trait_that_is_known_of_nobody_does_not_hide_the_others() -> None:
    traits, segment = people()
    some = {**traits, "age": np.full(240, np.nan)}
    assert list(outside(some, segment, 9)) == [*TRAITS[1:], "all"]
    assert known(some).tolist() == known(traits).tolist() == (np.arange(240) % 5 > 0).tolist()
    assert not known(dict.fromkeys(TRAITS, np.full(3, np.nan))).any()


def test_slices_cover_every_household_twice() -> None:
    traits, _ = people(100)
    found = slices({**traits, "baskets": np.arange(4.0, 104)})
    assert np.sum([found[name] for name in BASKET_BANDS], axis=0).tolist() == [1] * 100
    assert found["10-39 baskets"].sum() == 30
    assert (found["traits known"] ^ found["traits not known"]).all()
    assert found["traits not known"].sum() == 20


def test_a_period_is_a_part_of_the_test() -> None:
    assert parts({"part": np.array([0, 2, 1])}).tolist() == [0, 2, 1]
