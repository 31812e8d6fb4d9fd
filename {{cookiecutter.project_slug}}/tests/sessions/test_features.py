"""Purchases become the recent baskets of a household."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from project_package.sessions.features import (
    BASKETS,
    DAYS,
    MILLISECONDS_A_DAY,
    ablations,
    features,
    objects,
    recent,
    to_baskets,
)

NOW = 1_000 * MILLISECONDS_A_DAY
PURCHASES = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ABCD")), min_size=1)


def seen(*bought: tuple[float, str]) -> tuple[object, object]:
    """Return baskets and days of a household at `NOW`; purchases are days before it and an item."""
    order = sorted(bought, key=lambda purchase: -purchase[0])
    times = np.array([NOW - round(ago * MILLISECONDS_A_DAY) for ago, _ in order], np.int64)
    history = {"timestamp": times, "item": objects(item for _, item in order)}
    found = features({"timestamp": np.array([NOW])}, [{"household_id": history}])
    return found["baskets"][0], found["days"][0]


def test_purchases_of_one_time_are_one_basket() -> None:
    assert seen((2, "B"), (0.5, "C"), (2, "A"), (2, "B")) == ((("A", "B"), ("C",)), (2.0, 0.5))


@pytest.mark.parametrize(("ago", "count"), [(DAYS, 0), (DAYS - 1e-6, 1), (0, 1), (-1e-6, 0)])
def test_only_baskets_of_the_year_count(ago: float, count: int) -> None:
    baskets, days = seen((ago, "A"))
    assert baskets == (("A",),) * count
    assert len(np.array(days)) == count


def test_newest_baskets_are_kept() -> None:
    many = [(ago / 4, "A") for ago in range(1, BASKETS + 11)]
    baskets, days = seen(*many)
    assert baskets == (("A",),) * BASKETS
    assert days == tuple(ago / 4 for ago in range(BASKETS, 0, -1))


def test_household_without_history_has_no_baskets() -> None:
    found = features({"timestamp": np.array([NOW, NOW])}, [{}, {}])
    assert found["baskets"].tolist() == found["days"].tolist() == [(), ()]


@given(PURCHASES, st.randoms(use_true_random=False))
def test_order_of_items_does_not_matter(bought: list[tuple[int, str]], random: object) -> None:
    turned = list(bought)
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert seen(*bought) == seen(*turned)


@given(PURCHASES)
def test_baskets_hold_each_purchase_once(bought: list[tuple[int, str]]) -> None:
    order = sorted(bought)
    times = np.array([time for time, _ in order], np.int64)
    found, baskets = to_baskets(times, objects(item for _, item in order))
    pairs = [(time, item) for time, items in zip(found, baskets, strict=True) for item in items]
    assert pairs == sorted({*bought})


@given(st.lists(st.integers(0, 800), min_size=1, unique=True), st.integers(0, 800))
def test_baskets_after_the_moment_change_nothing(ages: list[int], cut: int) -> None:
    times = np.sort(MILLISECONDS_A_DAY * np.array(ages))
    baskets = [(str(time),) for time in times]
    now = MILLISECONDS_A_DAY * cut
    known = int(np.searchsorted(times, now, side="right"))
    assert recent(times, baskets, now) == recent(times[:known], baskets[:known], now)


def test_each_ablation_removes_one_thing() -> None:
    baskets = objects([(("A",), ("B",)), (("C",),)])
    rows = {"baskets": baskets, "days": objects([(9.0, 2.0), (4.0,)])}
    found = {name: (without["baskets"], without["days"]) for name, without in ablations(rows)}
    assert {*zip(*map(tuple, found["baskets"]), strict=True)} == {*zip(*rows.values(), strict=True)}
    assert [*map(list, found["earlier baskets"])] == [[(("B",),), (("C",),)], [(2.0,), (4.0,)]]
    assert [*map(list, found["days"])] == [list(baskets), [(1.0, 1.0), (1.0,)]]
