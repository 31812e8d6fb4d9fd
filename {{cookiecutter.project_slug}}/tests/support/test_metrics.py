"""Answers are right if they quote a document that answers, or are refused if none does."""

import numpy as np
import pytest

from project_package.columns import Columns
from project_package.support import metrics
from project_package.support.dataset import objects

ROWS: Columns = {
    "question": objects(["a", "b", "c", "d"]),
    "answers": objects([("x", "y"), ("x",), (), ()]),
    "language": objects(["en", "en", "sv", ""]),
    "kind": objects(["answerable", "answerable", "near", "far"]),
}
FOUND: Columns = {
    "document": np.array([["y", "z"], ["z", "x"], ["x", "z"], ["z", "x"]], object),
    "cited": objects(["0", "0", "0\n1 0", ""]),
    "refused": np.array([False, False, False, True]),
    "confidence": np.array([0.9, 0.8, 0.7, 0.1]),
    "answer": objects(["A b.", "A b.", "C d.\nA b.", ""]),
    "title": np.full((4, 2), "Title", object),
    "text": np.array([["A  b. C d.", "C d."]] * 4, object),
    "by": np.full(4, "extractive", object),
    "usd": np.array([0, 0.02, 0.02, 0]),
    "tokens": np.array([0, 120, 120, 0]),
}


def scores(rows: Columns, predictions: Columns) -> dict[str, float]:
    return {metric.name: metric.score(rows, predictions) for metric in metrics.METRICS}


def test_rank_is_that_of_the_first_document_that_answers() -> None:
    assert metrics.ranks(ROWS, FOUND).tolist() == [1, 2, np.inf, np.inf]


def test_metrics_of_answers_and_refusals() -> None:
    assert metrics.is_right(ROWS, FOUND).tolist() == [True, False, False, True]
    assert scores(ROWS, FOUND) == {
        "balanced_accuracy": 0.5,
        "answered": 1.0,
        "refused": 0.5,
        "grounded": 1.0,
        "usd": pytest.approx(0.01),
        "tokens": 60,
        "recall_at_1": 0.5,
        "recall_at_5": 1.0,
        "mrr": 0.75,
    }


@pytest.mark.parametrize(
    ("by", "answer", "expected"),
    [
        ("extractive", "A fence may be 2 metres high.", True),
        ("extractive: budget", "A fence may be high.", False),
        ("openai", "Your fence may be 2 metres high.", True),
        ("openai", "Your fence may be 3 metres high.", False),
    ],
)
def test_passages_carry_a_sentence_or_not(by: str, answer: str, expected: bool) -> None:
    found = {
        **FOUND,
        "answer": objects([answer, "", "", ""]),
        "cited": objects(["0", "", "", ""]),
        "text": np.array([["A fence may be 2 metres high.", ""]] * 4, object),
        "by": np.full(4, by, object),
    }
    assert metrics.is_grounded(ROWS, found).tolist() == [expected, True, True, True]


def test_groundedness_is_apart_for_written_answers() -> None:
    by = objects(["extractive", "openai", "extractive: budget", "openai"])
    shares = metrics.grounded_shares(ROWS, {**FOUND, "by": by})
    assert shares == {
        "grounded_quoted": 1.0,
        "grounded_written": 0.0,
    }  # no word of "A b." is long enough to check
    assert np.isnan(metrics.grounded_shares(ROWS, FOUND)["grounded_written"])


def test_worst_answers_are_certain_and_wrong() -> None:
    assert metrics.worst_first(ROWS, FOUND).tolist() == [1, 2, 0, 3]


def test_refusing_everything_is_half_right() -> None:
    found = scores(ROWS, metrics.naive(ROWS))
    assert (found["balanced_accuracy"], found["answered"], found["refused"]) == (0.5, 0.0, 1.0)


@pytest.mark.parametrize(
    ("cited", "right"), [("0", False), ("1", True), ("0\n1", True), ("", False)]
)
def test_answer_is_right_if_it_cites_a_document_that_answers(cited: str, right: bool) -> None:
    found = {**FOUND, "cited": objects(["0", cited, "0", ""])}
    assert metrics.is_right(ROWS, found).tolist() == [True, right, False, True]


def test_weights_count_rows_by_class() -> None:
    goal = next(metric for metric in metrics.METRICS if metric.name == "balanced_accuracy")
    weights = np.array([3.0, 1.0, 1.0, 0.0])
    assert goal.score(ROWS, FOUND, weights) == pytest.approx((0.75 + 0.0) / 2)
    assert goal.score(ROWS, FOUND, np.array([1.0, 0.0, 0.0, 0.0])) == 1.0
    assert np.isnan(goal.score(ROWS, FOUND, np.zeros(4)))


def test_slices_are_languages_and_kinds_with_enough_questions() -> None:
    rows = {name: np.repeat(values, [20, 1, 20, 20]) for name, values in ROWS.items()}
    assert {name: mask.sum() for name, mask in metrics.slices(rows).items()} == {
        "en": 21,
        "sv": 20,
        "answerable": 21,
        "near": 20,
        "far": 20,
    }
