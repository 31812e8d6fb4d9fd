"""The features of a household at a moment: by hand, and whatever else is in the table."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from project_package.contract import Columns, take
from project_package.features.windows import MILLISECONDS_A_DAY
from project_package.segments.features import (
    DAYS,
    DESCRIPTIONS,
    HOUSEHOLD,
    INPUTS,
    LOGARITHMS,
    ROOTS,
    SPENT,
    TRAITS,
    feature_columns,
)

NOW = 400 * MILLISECONDS_A_DAY
HALF = {"ago": 30.0, "sales": 20.0, "store_brand": 10.0, "fresh": 5.0, "drugstore": 2.0}
CENTS = st.integers(0, 10_000).map(lambda cents: cents / 100)


def rows(*baskets: Mapping[str, float]) -> Columns:
    """Return baskets, `ago` days before the moment (0), and a moment of each household (`who`)."""
    nothing = {"who": 0.0, "ago": 0.0, "is_now": 0.0, **dict.fromkeys(SPENT, 0.0)}
    given = [{**nothing, **basket} for basket in baskets]
    given += [{**nothing, "who": who, "is_now": 1.0} for who in sorted({b["who"] for b in given})]
    given.sort(key=lambda row: (-row["ago"], row["is_now"]))
    time = NOW - np.rint(MILLISECONDS_A_DAY * np.array([row["ago"] for row in given]))
    money = {name: np.array([row[name] for row in given]) for name in ("is_now", *SPENT)}
    who = np.array([row["who"] for row in given]).astype(np.int64)
    return {"timestamp": time.astype(np.int64), HOUSEHOLD: who, **money}


def at_moments(table: Columns) -> Columns:
    """Return the features at the moments of a table."""
    return take(feature_columns(table), table["is_now"] > 0)


def at(*baskets: Mapping[str, float]) -> dict[str, float]:
    """Return the features of one household."""
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
def test_half_year_ends_at_the_moment(ago: float, counts: int) -> None:
    assert at(HALF, {"ago": ago})["baskets"] == counts


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300), CENTS, CENTS), min_size=1))
def test_other_households_change_nothing(
    given: list[tuple[int, int, float, float]],
) -> None:
    names = ("who", "ago", "sales", "discount")
    table = rows(*(dict(zip(names, map(float, basket), strict=True)) for basket in given))
    together = at_moments(table)
    for place, who in enumerate(table[HOUSEHOLD][table["is_now"] > 0]):
        alone = at_moments(take(table, table[HOUSEHOLD] == who))
        assert all(alone[name][0] == together[name][place] for name in INPUTS)


def test_inputs_have_descriptions_and_are_no_traits() -> None:
    assert set(DESCRIPTIONS) == set(INPUTS) == {*LOGARITHMS, *ROOTS}
    assert all(DESCRIPTIONS.values())
    assert not set(TRAITS) & set(INPUTS)
