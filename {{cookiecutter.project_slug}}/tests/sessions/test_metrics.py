"""Metrics by hand, the answer without a model, weeks and slices."""

import numpy as np
import pytest
from sessions.tables import following, household

from project_package.columns import Columns, take
from project_package.contract.training import Metric
from project_package.sessions.dataset import WEEK, to_rows
from project_package.sessions.features import objects
from project_package.sessions.metrics import (
    METRICS,
    lists_differ,
    naive,
    slices,
    weeks,
)

ROWS = following(["AB", "AX"], ["C", "CDEF"], ["G", "G"])
SCORES = {metric.name: metric for metric in METRICS}


def ranked(*lists: str) -> Columns:
    """Return recommended items, one a letter, with falling scores."""
    scores = np.linspace(0.5, 0.1, len(lists[0]), dtype=np.float32)
    items = np.array([[*items] for items in lists], object)
    return {"items": items, "scores": np.tile(scores, (len(lists), 1))}


PREDICTIONS = ranked("XBEH", "BDCE", "ABCD")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall", (1 / 2 + 3 / 4 + 0) / 3),
        ("mrr", (1 + 1 / 2 + 0) / 3),
        ("recall_repeat", (0 + 1 + 0) / 3),
        ("recall_new", (1 + 2 / 3) / 2),
        ("novelty", (3 / 4 + 3 / 4 + 1) / 3),
        ("new_hits", (1 / 3 + 2 / 3 + 0) / 3),
        ("coverage", 7),
    ],
)
def test_metric_by_hand(name: str, expected: float) -> None:
    assert SCORES[name].score(ROWS, PREDICTIONS) == pytest.approx(expected)


def test_ndcg_by_hand() -> None:
    second, third, fourth = 1 / np.log2([3, 4, 5])
    first_row = 1 / (1 + second)
    second_row = (second + third + fourth) / (1 + second + third + fourth)
    expected = (first_row + second_row + 0) / 3
    assert SCORES["ndcg"].score(ROWS, PREDICTIONS) == pytest.approx(expected)


def test_only_twenty_items_count() -> None:
    rows = following(["A", "Z"])
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    at_20, at_21 = (letters[:n] + "Z" + letters[n:25] for n in (19, 20))
    assert SCORES["recall"].score(rows, ranked(at_20)) == 1
    assert SCORES["recall"].score(rows, ranked(at_21)) == 0
    assert SCORES["mrr"].score(rows, ranked(at_20)) == 1 / 20


def test_recall_without_new_items_is_unknown() -> None:
    assert np.isnan(SCORES["recall_new"].score(following(["A", "A"]), ranked("A")))


def test_hits_of_a_list_without_new_items_are_unknown() -> None:
    lists = ranked("AB", "CD")
    rows = following(["AB", "A"], ["C", "D"])
    assert SCORES["novelty"].score(rows, lists) == 1 / 4
    assert SCORES["new_hits"].score(rows, lists) == 1


def test_weights_give_the_mean_of_some_rows() -> None:
    recall = SCORES["recall"].scorer(ROWS, PREDICTIONS)
    assert recall(np.ones(3)) == pytest.approx(1.25 / 3)
    assert recall(np.array([1.0, 2.0, 0.0])) == pytest.approx(2 / 3)
    assert np.isnan(recall(np.zeros(3)))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_weight_counts_a_basket_several_times(metric: Metric) -> None:
    again = np.array([1, 1, 2, 2, 2])
    expected = metric.score(take(ROWS, again), take(PREDICTIONS, again))
    weights = np.array([0.0, 2, 3])
    assert metric.score(ROWS, PREDICTIONS, weights) == pytest.approx(expected)
    assert metric.score(ROWS, PREDICTIONS) != expected


def test_naive_recommends_what_was_lately_bought_most() -> None:
    found = naive(following(["Z", "AB", "C"], ["Z", "BC", "D"], ["ABC", "Z"]))
    assert found["items"].tolist() == [["B", "A", "C"]] * 3
    assert found["scores"][0] == pytest.approx([3 / 7, 2 / 7, 2 / 7])


def test_naive_reads_no_basket_of_the_rows() -> None:
    rows = to_rows([(household(["A", "B", "B"], "one"), index) for index in (1, 2)])
    assert naive(rows)["items"].tolist() == [["A"], ["A"]]


def test_items_with_one_score_may_change_places() -> None:
    one = ranked("ABC", "ABC")
    two = ranked("ABC", "BAC")
    assert lists_differ(one, two).tolist() == [False, True]
    assert lists_differ(one, ranked("DEF", "ABC")).tolist() == [True, False]
    assert not lists_differ(one, ranked("ABX", "ABC")).any()  # X may have the score of C
    equal = {"scores": np.array([[0.3, 0.3, 0.1]] * 2)}
    near = {"scores": np.array([[0.300001, 0.3, 0.1]] * 2)}
    assert not lists_differ({**one, **equal}, {**two, **near}).any()


@pytest.mark.parametrize(("first", "is_tie"), [(0.300005, True), (0.30002, False)])
def test_scores_within_the_tolerance_are_equal(first: float, is_tie: bool) -> None:
    one = {**ranked("ABC"), "scores": np.array([[first, 0.3, 0.1]])}
    assert lists_differ(one, ranked("BAC")).tolist() == [not is_tie]


def test_lists_of_small_catalogues_are_compared() -> None:
    smaller = {name: values[:, :2] for name, values in ranked("ABC").items()}
    assert not lists_differ(ranked("ABC"), smaller).any()


def test_weeks_are_whole_and_end_at_the_newest_row() -> None:
    ages = np.array([3 * WEEK - 1, 2 * WEEK, 2 * WEEK - 1, WEEK, WEEK - 1, 0])
    found = weeks({"timestamp": 100 * WEEK - ages})
    assert np.unique(found, return_counts=True)[1].tolist() == [2, 2, 2]
    assert (np.diff(found) >= 0).all()


def test_slices_divide_rows_by_history_and_by_size() -> None:
    known = objects(range(n) for n in (0, 2, 3, 9, 10, 29, 30, 99))
    bought = objects(range(n) for n in (1, 4, 5, 14, 15, 16, 30, 99))
    parts = slices({"baskets": known, "bought": bought})
    assert {name: np.flatnonzero(mask).tolist() for name, mask in parts.items()} == {
        "new households": [0, 1],
        "3-9 baskets": [2, 3],
        "10-29 baskets": [4, 5],
        "30+ baskets": [6, 7],
        "1-4 items": [0, 1],
        "5-14 items": [2, 3],
        "15+ items": [4, 5, 6, 7],
    }
