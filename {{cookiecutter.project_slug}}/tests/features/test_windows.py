"""Every aggregate against a brute-force version of its definition."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from project_package.columns import Columns
from project_package.features.look_back import entities
from project_package.features.windows import (
    MILLISECONDS_A_DAY,
    NO_ENTITY,
    Aggregate,
    Derived,
    Feature,
    Window,
    stream,
)

DAY = MILLISECONDS_A_DAY
HOUR = DAY // 24
AGGREGATES = get_args(Aggregate)
DELAYS = st.sampled_from([0.0, 1.0, 7.0])
# Gaps of 0 make ties, whole hours meet the ends of windows, and one is very long.
GAPS = st.sampled_from([0, 0, 1, HOUR, HOUR, 6 * HOUR, 12 * HOUR, DAY - 1, DAY, 400 * DAY])
ROWS = st.lists(
    st.tuples(GAPS, st.integers(0, 2), st.integers(-300, 90_000)), min_size=1, max_size=40
)


def columns(rows: list[tuple[int, int, int]]) -> Columns:
    gaps, cards, cents = (np.array(part, dtype=np.int64) for part in zip(*rows, strict=True))
    amount = cents / 100
    return {"timestamp": np.cumsum(gaps), "card": cards, "amount": amount, "flag": cents % 3 - 1}


def compute(features: Sequence[Feature], rows: Columns) -> dict[str, NDArray[Any]]:
    return dict(stream(features, rows))


def window(aggregate: Aggregate, days: float = 1.0, delay: float = 0.0) -> Window:
    value = {"count": None, "sum": "amount", "mean": "amount"}.get(aggregate, "flag")
    return Window("feature", "", "card", aggregate, days, delay, value)


def brute_force(feature: Window, rows: Columns, i: int) -> float:
    """Compute a window for row i from its definition, one row at a time."""
    time = rows["timestamp"].tolist()
    low = time[i] - (feature.delay + feature.days) * DAY
    high = time[i] - feature.delay * DAY
    known = range(len(time)) if feature.delay else range(i + 1)
    inside = [j for j in known if rows["card"][j] == rows["card"][i] and low < time[j] <= high]
    inside = inside[-feature.rows :]
    if feature.value is None:
        return len(inside)
    values = rows[feature.value][inside].tolist()
    if feature.aggregate in ("sum", "mean"):
        total: float = sum(round(value * 10_000) for value in values) / 10_000
        return total / max(len(values), 1) if feature.aggregate == "mean" else total
    false = [j for j, value in zip(inside, values, strict=True) if not value]
    run = [j for j in inside if not false or j > false[-1]]
    if feature.aggregate == "run_length":
        return len(run)
    if feature.aggregate == "run_age_days":
        return (time[i] - time[run[0]]) / DAY if run else 0.0
    return (time[i] - time[false[-1]]) / DAY if false else feature.delay + feature.days


@pytest.mark.parametrize("delay", [0.0, 0.25, 7.0])
@pytest.mark.parametrize("aggregate", AGGREGATES)
@settings(max_examples=50)
@given(rows=ROWS, days=st.sampled_from([0.5, 1.0, 30.0]), limit=st.sampled_from([1, 3, 2_000]))
def test_aggregate_equals_its_definition(
    aggregate: Aggregate, delay: float, rows: list[tuple[int, int, int]], days: float, limit: int
) -> None:
    feature = replace(window(aggregate, days, delay), rows=limit)
    table = columns(rows)
    expected = [brute_force(feature, table, i) for i in range(len(rows))]
    assert compute([feature], table)["feature"].tolist() == expected


@given(rows=ROWS, cut=st.integers(0, 39), limit=st.sampled_from([2, 2_000]), delay=DELAYS)
def test_only_rows_of_the_lookback_count(
    rows: list[tuple[int, int, int]], cut: int, limit: int, delay: float
) -> None:
    features = [*nested(limit), replace(window("mean", 30, delay), rows=limit)]
    table = columns(rows)
    last = min(cut, len(rows) - 1)
    time = table["timestamp"]
    (card,) = entities(features)
    near = (time > time[last] - card.ttl.days * DAY) & (np.arange(len(time)) <= last)
    near &= (table["card"] == table["card"][last]) & (time <= time[last] - card.delay.days * DAY)
    if card.rows:
        near[np.flatnonzero(near)[: -card.rows]] = False
    near[last] = True
    whole = compute(features, table)
    part = compute(features, {name: values[near] for name, values in table.items()})
    assert all(part[name][-1] == values[last] for name, values in whole.items())


def nested(rows: int = 2_000) -> list[Derived | Window]:
    """Declare a mean, a flag against it, and a count of the flags."""
    return [
        Window("mean", "", "card", "mean", 2, value="amount", rows=rows),
        Derived("high", "", np.greater, ("amount", "mean")),
        Window("highs", "", "card", "sum", 3, value="high", rows=rows),
    ]


def test_entities_reach_back_along_the_longest_chain() -> None:
    longer = Window("flags", "", "card", "sum", 1, delay=2, value="flag")
    shop = Window("shop", "", "terminal", "count", 30, delay=7)
    found = {e.name: (e.ttl.days, e.columns) for e in entities([*nested(), longer, shop])}
    assert found == {"card": (5, ("amount", "flag")), "terminal": (37, ())}


def test_entities_count_rows_unless_delays_differ() -> None:
    def limits(*features: Feature) -> tuple[int, int | None]:
        (card,) = entities(features)
        return card.delay.days, card.rows

    late = Window("late", "", "card", "mean", 30, delay=7, value="amount", rows=50)
    over_late = Window("over_late", "", "card", "sum", 30, delay=7, value="late", rows=20)
    assert limits(*nested(100)) == (0, 200)
    assert limits(late) == (7, 50)
    assert limits(late, over_late) == (7, None)
    assert limits(*nested(100), late) == (0, None)


def test_rejects_windows_over_another_entity() -> None:
    crossing = Window("crossing", "", "terminal", "sum", 1, value="high")
    with pytest.raises(ValueError, match="crossing: reads windows of another entity"):
        entities([*nested(), crossing])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"days": 0}, "days and rows must be above 0"),
        ({"days": -1}, "days and rows must be above 0"),
        ({"rows": 0}, "days and rows must be above 0"),
        ({"delay": -1}, "a delay at least 0"),
        ({"aggregate": "mean"}, "every other aggregate needs one"),
        ({"value": "amount"}, "count takes no value"),
    ],
)
def test_rejects_impossible_windows(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(window("count"), **change)


def test_rejects_rows_out_of_order() -> None:
    rows = {"timestamp": np.array([1, 3, 2]), "card": np.zeros(3, np.int64)}
    with pytest.raises(ValueError, match="sort them by timestamp"):
        compute([window("count")], rows)


@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "has missing or infinite values; fill or drop"), ("a", "is not a number; declare a")],
)
def test_rejects_text_and_missing_values(value: Any, problem: str) -> None:
    rows = {**columns([(0, 0, 100)]), "amount": np.array([value], type(value))}
    with pytest.raises(ValueError, match=f"feature: the column amount {problem}"):
        compute([window("mean")], rows)


def test_no_rows_have_no_features() -> None:
    nothing = {name: values[:0] for name, values in columns([(0, 0, 0)]).items()}
    for aggregate in AGGREGATES:
        assert len(compute([window(aggregate)], nothing)["feature"]) == 0


@pytest.mark.parametrize("other", [-(2**16), 1, 2**16, 2**40])
def test_any_two_codes_are_two_entities(other: int) -> None:
    rows = {"timestamp": np.arange(3), "card": np.array([0, other, 0])}
    assert compute([window("count")], rows)["feature"].tolist() == [1, 1, 2]


@given(
    rows=ROWS, positions=st.lists(st.integers(0, 39), max_size=5), delay=st.sampled_from([0.0, 7.0])
)
def test_features_at_positions_equal_the_table(
    rows: list[tuple[int, int, int]], positions: list[int], delay: float
) -> None:
    inner = replace(window("mean", 3), name="inner")
    named = [replace(window(a, 2, delay), name=a) for a in AGGREGATES]
    outer = Window("outer", "", "card", "sum", 2, value="inner")
    features = [inner, *named, outer]
    table = columns(rows)
    at = np.array([i for i in positions if i < len(rows)], np.int64)
    whole = compute(features, table)
    for some in (at, slice(len(at), None)):
        found = dict(stream(features, table, some))
        assert {n: v.tolist() for n, v in found.items()} == {
            n: v[some].tolist() for n, v in whole.items()
        }


@pytest.mark.parametrize("other", [-2, 1, 2**16 - 1, 2**40])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_row_without_entity_is_in_no_window(aggregate: Aggregate, other: int) -> None:
    cards = np.array([0, NO_ENTITY, other, NO_ENTITY, 0, other, NO_ENTITY])
    flag = np.array([1, 0, 1, np.nan, 1, 0, 1])  # which nothing reads
    rows = {"timestamp": np.arange(7) * HOUR, "card": cards, "amount": flag * 2.5, "flag": flag}
    some = {name: values[cards != NO_ENTITY] for name, values in rows.items()}
    found, expected = (compute([window(aggregate)], part)["feature"] for part in (rows, some))
    assert found[cards != NO_ENTITY].tolist() == expected.tolist()
    assert found[cards == NO_ENTITY].tolist() == [0, 0, 0]
