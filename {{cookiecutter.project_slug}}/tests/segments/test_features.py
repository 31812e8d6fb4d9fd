"""The features of a household at a moment: by hand, and whatever else is in the table."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from project_package.contract import Columns, take
from project_package.segments.features import (
    DAYS,
    DESCRIPTIONS,
    HOUSEHOLD,
    INPUTS,
    LOGARITHMS,
    LOOKBACK_DAYS,
    ROOTS,
    SPENT,
    TRAITS,
    feature_columns,
    positions,
    ratio,
)
from project_package.features.windows import MILLISECONDS_A_DAY

NOW = 400 * MILLISECONDS_A_DAY
HALF = {"ago": 30.0, "sales": 20.0, "store_brand": 10.0, "fresh": 5.0, "drugstore": 2.0}
CENTS = st.integers(0, 10_000).map(lambda cents: cents / 100)


def rows(*baskets: Mapping[str, float]) -> Columns:
    """Give baskets, `ago` days before the moment (0), and a moment of each household (`who`)."""
    nothing = {"who": 0.0, "ago": 0.0, "is_now": 0.0, **dict.fromkeys(SPENT, 0.0)}
    told = [{**nothing, **basket} for basket in baskets]
    told += [{**nothing, "who": who, "is_now": 1.0} for who in sorted({b["who"] for b in told})]
    told.sort(key=lambda row: (-row["ago"], row["is_now"]))
    time = NOW - np.rint(MILLISECONDS_A_DAY * np.array([row["ago"] for row in told]))
    money = {name: np.array([row[name] for row in told]) for name in ("is_now", *SPENT)}
    who = np.array([row["who"] for row in told]).astype(np.int64)
    return {"timestamp": time.astype(np.int64), HOUSEHOLD: who, **money}


def at_moments(table: Columns) -> Columns:
    """Give the features at the moments of a table."""
    return take(feature_columns(table), table["is_now"] > 0)


def at(*baskets: Mapping[str, float]) -> dict[str, float]:
    """Give the features of one household."""
    return {name: values.item() for name, values in at_moments(rows(*baskets)).items()}


def test_features_by_hand() -> None:
    found = at(HALF, {"ago": 2.5, "sales": 60.0, "discount": 20.0, "fresh": 15.0})
    assert found == {
        "recency": 2.5,
        "baskets": 2,
        "spending": 80,
        "basket_size": 40,
        "discount_share": 0.2,
        "store_brand_share": 0.125,
        "fresh_share": 0.25,
        "drugstore_share": 0.025,
    }


@pytest.mark.parametrize(("ago", "counts"), [(DAYS, 1), (DAYS - 1e-7, 2), (0, 2)])
def test_the_half_year_ends_at_the_moment_and_begins_after_the_same_time_of_day(
    ago: float, counts: int
) -> None:
    assert at(HALF, {"ago": ago})["baskets"] == counts


def test_a_basket_after_the_moment_changes_nothing() -> None:
    assert at(HALF, {**HALF, "ago": -1.0}) == at(HALF)


def test_who_spent_nothing_has_shares_of_zero() -> None:
    found = at({"ago": 3.0}, {"ago": 2.0})
    assert found["baskets"] == 2
    assert {found[name] for name in ("basket_size", *ROOTS)} == {0}


def test_who_bought_nothing_lately_was_here_half_a_year_ago_at_best() -> None:
    found = at({**HALF, "ago": DAYS + 5.0})
    assert (found["recency"], found["baskets"], found["spending"]) == (DAYS, 0, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), CENTS, CENTS), min_size=1))
def test_a_household_has_the_same_features_alone_and_among_others(
    told: list[tuple[int, int, float, float]],
) -> None:
    names = ("who", "ago", "sales", "discount")
    table = rows(*(dict(zip(names, map(float, basket), strict=True)) for basket in told))
    together = at_moments(table)
    for place, who in enumerate(table[HOUSEHOLD][table["is_now"] > 0]):
        alone = at_moments(take(table, table[HOUSEHOLD] == who))
        assert all(alone[name][0] == together[name][place] for name in INPUTS)


def test_rows_out_of_order_are_an_error() -> None:
    with pytest.raises(ValueError, match="not in order of time"):
        feature_columns(take(rows(HALF, {**HALF, "ago": 3.0}), np.array([1, 0, 2])))


def test_nobody_has_no_features() -> None:
    found = feature_columns(take(rows(HALF), np.zeros(2, np.bool_)))
    assert all(len(found[name]) == 0 for name in INPUTS)


def test_positions_are_logarithms_and_roots_in_the_order_of_the_inputs() -> None:
    columns = {name: np.array([float(place)]) for place, name in enumerate(INPUTS)}
    placed = positions(columns)
    assert placed.dtype == np.float64
    assert placed[0, :4] == pytest.approx(np.log([1, 2, 3, 4]))
    assert placed[0, 4:] == pytest.approx(np.sqrt([4, 5, 6, 7]))


def test_dividing_by_nothing_gives_zero() -> None:
    assert ratio(np.array([3.0, 3.0]), np.array([2.0, 0.0])).tolist() == [1.5, 0]


def test_inputs_are_described_and_never_a_trait() -> None:
    assert set(DESCRIPTIONS) == set(INPUTS) == {*LOGARITHMS, *ROOTS}
    assert all(DESCRIPTIONS.values())
    assert not set(TRAITS) & set(INPUTS)


def test_a_request_needs_half_a_year() -> None:
    assert LOOKBACK_DAYS == {HOUSEHOLD: DAYS}
