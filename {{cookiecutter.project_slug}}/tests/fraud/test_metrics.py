"""Metrics against scikit-learn, against hand calculation and against brute force."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from project_package.binary_metrics import calibration_error
from project_package.columns import Columns, take
from project_package.fraud.metrics import (
    METRICS,
    card_precision,
    cost,
    costs_by_threshold,
    naive,
    slices,
    threshold,
    weeks,
)

# Few distinct scores: ties are where definitions differ.
SCORED = st.lists(
    st.tuples(st.booleans(), st.integers(0, 9), st.integers(0, 3), st.integers(1, 100)),
    min_size=2,
    max_size=60,
)
Rows = list[tuple[bool, int, int, int]]


def arrays(rows: Rows) -> tuple[NDArray[Any], ...]:
    """Return labels, scores, weights and amounts."""
    labels, scores, weights, amounts = (np.array(part) for part in zip(*rows, strict=True))
    return labels, scores / 10, weights.astype(np.float64), amounts.astype(np.float64)


def test_card_precision_leaves_out_caught_cards() -> None:
    payments = [  # day, card, fraud, score
        *((0, 1, False, 0.9), (0, 1, True, 0.1), (0, 2, False, 0.8), (0, 3, True, 0.2)),
        *((1, 1, True, 0.9), (1, 2, True, 0.7), (1, 3, True, 0.5), (1, 4, False, 0.4)),
        *((2, 1, True, 0.9), (2, 2, True, 0.6), (2, 3, False, 0.5), (2, 4, False, 0.1)),
    ]
    day, customer, is_fraud, scores = map(np.array, zip(*payments, strict=True))
    rows = {"day": day, "customer": customer, "is_fraud": is_fraud}
    # Day 0: cards 1 and 2 are on top, and 1 is compromised. Day 1: 2 and 3, without card 1; both
    # are compromised, and were not caught before: 3 was not on top. Day 2: only 4 is left.
    assert card_precision(rows, scores, k=2) == (1 / 2 + 2 / 2 + 0) / 3


def test_cards_are_caught_in_the_order_of_the_days() -> None:
    day = np.arange(20).repeat(20)
    customer = np.tile(np.arange(20), 20)
    rows = {"day": day, "customer": customer, "is_fraud": (customer <= day) & (day < 18)}
    assert card_precision(rows, -customer, k=1) == 18 / 20


def test_card_has_its_highest_score_and_weight_of_the_day() -> None:
    customer = np.array([1, 1, 2])
    rows = {"day": np.zeros(3), "customer": customer, "is_fraud": customer == 1}
    scores = np.array([0.9, 0.1, 0.5])
    assert card_precision(rows, scores, np.array([1.0, 2, 1]), k=2) == 1


def test_card_of_weight_two_counts_as_two_cards() -> None:
    day = np.array([0, 0, 0, 1, 1, 1])
    customer = np.array([1, 2, 3, 1, 2, 3])
    is_fraud = np.array([True, False, True, True, True, True])
    scores = np.array([0.9, 0.5, 0.1, 0.9, 0.5, 0.1])
    rows = {"day": day, "customer": customer, "is_fraud": is_fraud}
    twice = np.array([2.0, 1, 1, 2, 1, 1])  # the first card
    copied = {name: np.append(v, v[customer == 1]) for name, v in rows.items()}
    copied["customer"] = np.append(customer, [4, 4])
    more = np.append(scores, scores[customer == 1])
    for k in (1, 2, 3):
        assert card_precision(rows, scores, twice, k=k) == card_precision(copied, more, k=k)
    assert card_precision(rows, scores, 1.0 * (customer != 1), k=1) == (0 + 1) / 2
    assert math.isnan(card_precision(rows, scores, np.zeros(6)))


@pytest.mark.parametrize("first", [True, False])
def test_card_precision_breaks_ties_at_random(first: bool) -> None:
    cards = np.arange(200)  # in the order of their ids, half of them compromised
    rows = {"day": np.zeros(200), "customer": cards, "is_fraud": (cards < 100) == first}
    found = card_precision(rows, np.ones(200))
    assert 0.3 < found < 0.7
    assert card_precision(rows, np.ones(200)) == found
    assert card_precision(rows, np.ones(200), seed=1) != found


def test_card_precision_ceiling_falls_with_few_cards() -> None:
    rows = {"day": np.zeros(1), "customer": np.array([1]), "is_fraud": np.array([True])}
    metric = next(metric for metric in METRICS if metric.name == "cp100")
    assert metric.ceiling is not None
    assert metric.ceiling(rows) == metric.score(rows, {"score": np.array([0.5])}) == 0.01


def priced(rows: Rows, review_cost: float = 10.0) -> tuple[Columns, NDArray[Any]]:
    labels, scores, _, amounts = arrays(rows)
    reviews = np.full(len(labels), review_cost)
    return {"is_fraud": labels, "amount": amounts, "review_cost": reviews}, scores


def test_cost_by_hand() -> None:
    rows, _ = priced([(True, 9, 1, 100), (True, 1, 1, 30), (False, 8, 1, 20), (False, 0, 1, 5)])
    decision = np.array([True, False, True, False])
    assert cost(rows, decision) == 1000 * (10 + 30 + 10) / 4


@given(SCORED)
def test_cost_of_each_threshold_is_that_of_its_decisions(rows: Rows) -> None:
    columns, scores = priced(rows)
    falling, costs = costs_by_threshold(columns, scores)
    assert falling.tolist() == np.unique(scores)[::-1].tolist()
    assert costs == pytest.approx([cost(columns, scores >= value) for value in falling])


@given(SCORED, st.sampled_from([1.0, 10.0, 60.0]))
def test_chosen_threshold_has_the_least_cost(rows: Rows, review_cost: float) -> None:
    columns, scores = priced(rows, review_cost)
    chosen = cost(columns, scores >= threshold(columns, scores))
    every = [cost(columns, scores >= value) for value in (*np.unique(scores), 2.0)]
    assert chosen == pytest.approx(min(every))


@pytest.mark.parametrize("name", ["average_precision", "roc_auc", "cost"])
@given(rows=SCORED)
def test_weight_counts_a_payment_several_times(name: str, rows: Rows) -> None:
    labels, scores, weights, _ = arrays([*rows, (True, 5, 2, 10), (False, 5, 1, 20)])
    columns, _ = priced([*rows, (True, 5, 2, 10), (False, 5, 1, 20)])
    predictions = {"score": scores, "decision": scores > 0.5}
    metric = next(metric for metric in METRICS if metric.name == name)
    again = np.arange(len(labels)).repeat(weights.astype(np.int64))
    expected = metric.score(take(columns, again), take(predictions, again))
    assert metric.score(columns, predictions, weights) == pytest.approx(expected)


def test_cost_and_calibration_error_are_better_when_lower() -> None:
    higher = [metric.name for metric in METRICS if metric.higher_is_better]
    assert higher == ["average_precision", "roc_auc", "cp100"]


def test_naive_ranks_by_amount_and_flags_nothing() -> None:
    answer = naive({"amount": np.array([5.0, 80.0, 20.0])})
    assert answer["score"] == pytest.approx([0, 2 / 3 * 0.02, 1 / 3 * 0.02])
    assert not answer["decision"].any()


def test_scores_of_one_amount_rise_with_the_row() -> None:
    assert (np.diff(naive({"amount": np.full(1000, 9.0)})["score"]) > 0).all()


def test_calibration_has_twenty_bins() -> None:
    random = np.random.default_rng(0)
    labels = random.random(500) < 0.3
    predictions = {"score": random.random(500)}
    metric = next(metric for metric in METRICS if metric.name == "calibration")
    expected = calibration_error(labels, predictions["score"], bins=20)
    assert metric.score({"is_fraud": labels}, predictions) == expected


def test_weeks_start_with_the_first_test_day() -> None:
    assert weeks({"day": np.array([100, 106, 107, 127])}).tolist() == [0, 0, 1, 3]


def test_slices_are_amounts_times_terminals_and_scenarios() -> None:
    rows = {
        "amount": np.array([0, 19.9, 20, 49.9, 50, 99.9, 100, 219.9, 220, 500]),
        "timestamp": np.array([0, 7, 12, 6.9, 8, 9, 10, 11, 23, 24 + 7]) * 3_600_000,
        "terminal_count_30d": np.array([0.0, 1, 0, 9, 0, 0, 0, 0, 0, 0]),
        "scenario": np.array([0, 1, 2, 3, 0, 0, 0, 0, 0, 0]),
    }
    found = {name: np.flatnonzero(mask).tolist() for name, mask in slices(rows).items()}
    nowhere = [0, 4, 5, 6, 7, 8, 9]
    assert found == {
        "amount 0-20": [0, 1],
        "amount 20-50": [2, 3],
        "amount 50-100": [4, 5],
        "amount 100-220": [6, 7],
        "amount 220+": [8, 9],
        "night": [0, 3],
        "day": [1, 2, 4, 5, 6, 7, 8, 9],
        "terminal with history": [1, 3],
        "terminal without history": [0, 2, 4, 5, 6, 7, 8, 9],
        "scenario large amount": sorted([*nowhere, 1]),
        "scenario compromised terminal": sorted([*nowhere, 2]),
        "scenario stolen card": sorted([*nowhere, 3]),
    }
    del rows["scenario"]
    assert {*slices(rows)} == {name for name in found if not name.startswith("scenario")}
