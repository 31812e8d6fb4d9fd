"""What a segment is called, what tells it apart, and what is said of a segment of nobody."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from project_package.contract import Columns, Outcome
from project_package.segments import api
from project_package.segments.features import INPUTS
from project_package.segments.profiles import (
    NOTABLE,
    TELLING,
    WORDS,
    assets,
    deviations,
    medians,
    name,
    name_all,
    telling,
)

Numbers = NDArray[Any]
AWAY = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.just(len(INPUTS))),
    elements=st.sampled_from([-1.0, -0.1, 0.0, 0.3, 2.0]),
)


def line(**away: float) -> Numbers:
    """Give deviations of a segment, 0 where none is named."""
    return np.array([away.get(feature, 0.0) for feature in INPUTS])


def shoppers() -> tuple[Columns, Numbers]:
    """Give 40 households: the last ten spend ten times as much and buy no store brands."""
    random = np.random.default_rng(0)
    rows = {feature: random.uniform(1, 2, 40) for feature in INPUTS}
    segment = (np.arange(40) >= 30).astype(np.int64)
    rows["spending"] = np.where(segment == 1, 10 * rows["spending"], rows["spending"])
    rows["store_brand_share"] = np.where(segment == 1, 0.0, rows["store_brand_share"])
    return rows, segment


def test_deviations_are_of_the_mean_of_all_in_standard_deviations() -> None:
    rows, segment = shoppers()
    away = deviations(rows, segment, 3)
    assert 0.75 * away[0] + 0.25 * away[1] == pytest.approx(np.zeros(len(INPUTS)))
    assert away[1, INPUTS.index("spending")] == pytest.approx(np.sqrt(3), abs=0.1)
    assert not away[2].any()


def test_a_feature_that_all_have_alike_sets_nobody_apart() -> None:
    rows, segment = shoppers()
    away = deviations({**rows, "recency": np.full(40, 3.0)}, segment, 2)
    assert away[:, INPUTS.index("recency")] == pytest.approx([0, 0])


def test_a_segment_is_called_after_what_is_far_from_the_mean() -> None:
    away = line(spending=2.0, fresh_share=-1.0, recency=0.5)
    assert name(away, 2) == "High spending, little fresh food"
    assert name(away, 3) == "High spending, little fresh food, long away"
    assert telling(away) == ("spending", "fresh_share", "recency")


def test_what_is_near_the_mean_is_not_worth_a_word() -> None:
    assert name(line(baskets=-2.0, spending=NOTABLE - 0.01), 2) == "Few baskets"
    assert name(line(baskets=-NOTABLE), 2) == "Few baskets"
    assert name(line(baskets=NOTABLE - 0.01), 2) == "Average"


def test_two_segments_with_one_name_get_more_words_and_no_other_does() -> None:
    one = line(spending=2.0, baskets=1.5, fresh_share=1.0, recency=-0.5)
    two = line(spending=2.0, baskets=1.5, fresh_share=-1.0)
    third = line(recency=2.0, baskets=-1.0, spending=-0.9)
    assert name_all(np.array([one, two, third])) == [
        "High spending, many baskets, much fresh food",
        "High spending, many baskets, little fresh food",
        "Long away, few baskets",
    ]


def test_segments_that_no_words_tell_apart_get_their_numbers() -> None:
    busy = line(spending=2.0, baskets=1.0, basket_size=0.5)
    assert name_all(np.array([line(), busy, line(), busy * 0.9])) == [
        "Average (0)",
        "High spending, many baskets, large baskets (1)",
        "Average (2)",
        "High spending, many baskets, large baskets (3)",
    ]


@given(AWAY)
def test_names_are_never_equal_and_never_empty(away: Numbers) -> None:
    names = name_all(away)
    assert len(names) == len(away) == len(set(names))
    assert all(names)


def test_medians_of_nobody_are_those_of_all() -> None:
    rows, segment = shoppers()
    mine = medians(rows, segment == 1)
    assert mine["spending"] == np.median(rows["spending"][30:])
    everyone = {feature: np.median(rows[feature]) for feature in INPUTS}
    assert medians(rows, segment == 7) == everyone == medians(rows, segment >= 0)


def test_assets_describe_every_segment_that_the_graph_knows() -> None:
    rows, segment = shoppers()
    fitted = Outcome(rows, {"segment": segment, "distances": np.zeros((40, 3))})
    found = api.assets(assets(fitted))
    assert [profile.share for profile in found.profiles] == [0.75, 0.25, 0]
    assert found.profiles[1].name == "Few store brands, high spending"
    assert found.profiles[1].telling[:2] == ("store_brand_share", "spending")
    assert found.profiles[2].name == "Average"
    assert found.profiles[2].medians == found.medians
    assert all(len(profile.telling) == TELLING for profile in found.profiles)


def test_every_input_has_words_for_little_and_for_much() -> None:
    assert set(WORDS) == set(INPUTS)
    assert len({word for both in WORDS.values() for word in both}) == 2 * len(INPUTS)
