"""Profiles and names of segments, empty ones included."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from project_package.columns import Columns
from project_package.segments.features import INPUTS
from project_package.segments.profiles import (
    DISTINCTIVE,
    NOTABLE,
    describe,
    deviations,
    name_of,
    names,
)

Numbers = NDArray[Any]
AWAY = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.just(len(INPUTS))),
    elements=st.sampled_from([-1.0, -0.1, 0.0, 0.3, 2.0]),
)


def line(**away: float) -> Numbers:
    """Return deviations of a segment, 0 where none is named."""
    return np.array([away.get(feature, 0.0) for feature in INPUTS])


def shoppers() -> tuple[Columns, Numbers]:
    """Return 40 households: the last ten spend ten times as much and buy no store brands."""
    random = np.random.default_rng(0)
    rows = {feature: random.uniform(1, 2, 40) for feature in INPUTS}
    segment = (np.arange(40) >= 30).astype(np.int64)
    rows["spending"] = np.where(segment == 1, 10 * rows["spending"], rows["spending"])
    rows["store_brand_share"] = np.where(segment == 1, 0.0, rows["store_brand_share"])
    return rows, segment


def test_deviations_are_in_standard_deviations() -> None:
    rows, segment = shoppers()
    away = deviations({**rows, "recency": np.full(40, 3.0)}, segment, 3)
    assert 0.75 * away[0] + 0.25 * away[1] == pytest.approx(np.zeros(len(INPUTS)))
    assert away[1, INPUTS.index("spending")] == pytest.approx(np.sqrt(3), abs=0.1)
    assert away[:, INPUTS.index("recency")] == pytest.approx([0, 0, 0])
    assert not away[2].any()


def test_segment_is_named_after_its_notable_deviations() -> None:
    away = line(spending=2.0, fresh_share=-1.0, recency=0.5)
    assert name_of(away, 2) == "High spending, little fresh food"
    assert name_of(line(baskets=-2.0, spending=NOTABLE - 0.01), 2) == "Few baskets"
    assert name_of(line(baskets=-NOTABLE), 2) == "Few baskets"
    assert name_of(line(baskets=NOTABLE - 0.01), 2) == "Average"


def test_equal_names_get_more_words() -> None:
    one = line(spending=2.0, baskets=1.5, fresh_share=1.0, recency=-0.5)
    two = line(spending=2.0, baskets=1.5, fresh_share=-1.0)
    third = line(recency=2.0, baskets=-1.0, spending=-0.9)
    assert names(np.array([one, two, third])) == [
        "High spending, many baskets, much fresh food",
        "High spending, many baskets, little fresh food",
        "Long absent, few baskets",
    ]


@given(AWAY)
def test_names_are_unique_and_never_empty(away: Numbers) -> None:
    found = names(away)
    assert len(found) == len(away) == len(set(found))
    assert all(found)


def test_describes_every_segment_even_an_empty_one() -> None:
    found = describe(*shoppers(), 3)
    assert [profile.share for profile in found.segments] == [0.75, 0.25, 0]
    assert found.segments[1].name == "Few store brands, high spending"
    assert found.segments[1].distinctive[:2] == ("store_brand_share", "spending")
    assert found.segments[2].name == "Average"
    assert found.segments[2].medians == found.medians
    assert all(len(profile.distinctive) == DISTINCTIVE for profile in found.segments)
