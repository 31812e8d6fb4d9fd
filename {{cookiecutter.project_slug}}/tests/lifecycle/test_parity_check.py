"""The parity gate sees every difference between a graph and its original."""

from typing import Any

import numpy as np
import pytest

from project_package.bundle import Parity
from project_package.contract import Columns
from project_package.lifecycle.gate import parity as compare
from project_package.lifecycle.gate import same_answers as verdict


def outputs(*scores: float) -> Columns:
    return {"score": np.array(scores, np.float32)}


def decided(*flags: bool, **more: Any) -> Columns:
    return {**outputs(*(0.5 for _ in flags)), "decision": np.array(flags), **more}


def test_equal_answers_have_no_difference() -> None:
    found = compare(outputs(0.1, 0.9), outputs(0.1, 0.9), (decided(False, True),) * 2)
    assert found == Parity(rows=2, largest_difference=0, changed_decisions=0)


def test_the_largest_difference_counts() -> None:
    found = compare(outputs(0.1, 0.9), outputs(0.1, 0.8), (decided(True),) * 2)
    assert found.largest_difference == pytest.approx(0.1)


def test_every_changed_decision_counts_and_no_number_is_one() -> None:
    mine = decided(True, True, False, label=np.array(["a", "b", "c"]))
    theirs = decided(True, False, False, label=np.array(["a", "b", "x"]))
    assert compare(outputs(1), outputs(1), (mine, theirs)).changed_decisions == 2
    other = {**theirs, **outputs(0.1, 0.2, 0.3)}
    assert compare(outputs(1), outputs(1), (theirs, other)).changed_decisions == 0


def test_outputs_that_only_the_graph_has_are_not_compared() -> None:
    more = {**outputs(0.5), "contributions": np.ones((1, 3))}
    assert compare(more, outputs(0.5), (decided(True),) * 2).largest_difference == 0


@pytest.mark.parametrize(
    ("difference", "changed", "passed"),
    [(9e-6, 0, True), (1e-5, 0, False), (0.0, 1, False), (float("nan"), 0, False)],
)
def test_a_difference_or_a_changed_decision_is_refused(
    difference: float, changed: int, passed: bool
) -> None:
    found = Parity(rows=10_000, largest_difference=difference, changed_decisions=changed)
    said = verdict(found, 1e-5)
    assert said.passed is passed
    assert f"on 10,000 rows, {changed} decisions changed" in said.detail


def test_an_answer_that_is_no_number_is_refused() -> None:
    found = compare(outputs(0.1, np.nan), outputs(0.1, 0.9), (decided(True),) * 2)
    assert not verdict(found, 1e-5).passed
