"""A name that comes again: the same row gets the answer that it had, another one is refused."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from states import CARDS

from project_package.contract import Columns
from project_package.features.history import EVENT
from project_package.serving.batch import Answers
from project_package.serving.work import Predict, Refused, Turn
from project_package.state.base import State

API: Any = SimpleNamespace(lacks=lambda *_: "")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    opened = State(tmp_path / "state.db", CARDS)
    yield opened
    opened.close()


def rows(*named: tuple[str, float]) -> Columns:
    """Give rows by name and amount."""
    return {
        "timestamp": np.full(len(named), 10**12),
        "card": np.array(["c"] * len(named), object),
        "amount": np.array([amount for _, amount in named]),
        EVENT: np.array([name for name, _ in named], object),
    }


def ask(state: State, *named: tuple[str, float]) -> list[str]:
    """Answer requests of one body, each with the number of its place among those that are new."""
    with state.transaction():
        turn = Turn(state, rows(*named))
        finish = Predict(API, named, [None] * len(named)).do(turn)
        turn.answers = Answers([f"{n}" for n in range(len(turn.new))], ["1"] * len(named))
        turn.keep_answers()
        given: Answers = finish()
    return list(given.predictions)


def test_a_name_that_comes_again_gets_the_answer_that_it_had(state: State) -> None:
    assert ask(state, ("a", 1), ("b", 2), ("a", 1)) == ["0", "1", "0"]
    assert ask(state, ("c", 3), ("b", 2)) == ["0", "1"]


@pytest.mark.parametrize("body", [[("a", 1.0), ("a", 2.0)], [("b", 3.0), ("known", 2.0)]])
def test_another_row_under_a_known_name_is_refused(
    state: State, body: list[tuple[str, float]]
) -> None:
    ask(state, ("known", 1))
    with pytest.raises(Refused, match="differs from what was answered under this name") as refused:
        ask(state, *body)
    assert refused.value.place == 1
    assert ask(state, ("known", 1)) == ["0"]
