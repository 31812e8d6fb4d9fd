"""The features of a household at a moment, by hand."""

from collections.abc import Mapping

import numpy as np
import pytest

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
    to_positions,
)

NOW = 400 * MILLISECONDS_A_DAY
HALF = {"ago": 30.0, "sales": 20.0, "store_brand": 10.0, "fresh": 5.0, "drugstore": 2.0}


def at(*baskets: Mapping[str, float]) -> dict[str, float]:
    """Return the features of a household at a moment, from baskets `ago` days before it."""
    nothing = {"ago": 0.0, "is_now": 0.0, **dict.fromkeys(SPENT, 0.0)}
    rows = [{**nothing, **basket} for basket in baskets] + [{**nothing, "is_now": 1.0}]
    rows.sort(key=lambda row: (-row["ago"], row["is_now"]))
    table = {name: np.array([row[name] for row in rows]) for name in nothing}
    time = NOW - np.rint(MILLISECONDS_A_DAY * table.pop("ago"))
    who = np.zeros(len(rows), np.int64)
    found = feature_columns({"timestamp": time.astype(np.int64), HOUSEHOLD: who, **table})
    return {name: values[-1].item() for name, values in found.items()}


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


def test_inputs_have_descriptions_and_are_no_traits() -> None:
    assert set(DESCRIPTIONS) == set(INPUTS) == {*LOGARITHMS, *ROOTS}
    assert all(DESCRIPTIONS.values())
    assert not set(TRAITS) & set(INPUTS)


def test_positions_are_logarithms_and_roots_in_the_order_of_names() -> None:
    names = (ROOTS[0], LOGARITHMS[0])
    rows = {names[0]: np.array([0.25, 0.0]), names[1]: np.array([np.expm1(1), 0.0])}
    assert to_positions(rows, names) == pytest.approx(np.array([[0.5, 1.0], [0.0, 0.0]]))
