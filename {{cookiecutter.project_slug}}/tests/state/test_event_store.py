"""What a state keeps, in a SQLite file and in a real Redis."""

from dataclasses import replace
from typing import Any

import pytest
from states import (
    DAY,
    MEMORY,
    START,
    Fresh,
    label,
    row,
)

from project_package.contract import Columns
from project_package.state.base import StateUnusable
from project_package.state.base import ANSWER_DAYS, State


@pytest.fixture
def state(fresh: Fresh) -> Any:
    opened = State(fresh(), MEMORY)
    yield opened
    opened.close()


def amounts(state: State, at: int = START) -> list[float]:
    """Give the amounts of the first card's past."""
    with state.transaction():
        found: list[float] = state.past(row("", at), 0)["card"]["amount"].tolist()
    return found


def put(state: State, *rows: Columns) -> None:
    with state.transaction():
        for one in rows:
            state.add(one, 0)


def break_off(state: State) -> None:
    """Leave a transaction after its work was done."""
    with state.transaction():
        assert state.label(label("a"), 0)
        assert state.add(row("b", START + 9 * DAY), 0)
        state.keep_answers({"b": "{}"})
        raise ZeroDivisionError


def test_an_error_undoes_the_whole_transaction(state: State) -> None:
    put(state, row("a", START))
    with pytest.raises(ZeroDivisionError):
        break_off(state)
    with state.transaction():
        assert state.answer("b") is None
        past = state.past(row("", START), 0)
    assert past["shop"]["is_bad"].tolist() == [0]
    assert amounts(state) == [1]


def test_a_state_whose_first_transaction_broke_off_knows_its_columns(fresh: Fresh) -> None:
    address = fresh()
    state = State(address, MEMORY)
    with pytest.raises(ZeroDivisionError), state.transaction():
        assert state.add(row("a", START), 0) > 1 / 0
    put(state, row("a", START))
    with (
        pytest.raises(StateUnusable, match="for other entities or columns"),
        State(address, replace(MEMORY, entities={"card": ("hour",)}, late=())).transaction(),
    ):
        pass


def test_what_was_read_after_time_went_on_is_forgotten_when_that_is_undone(fresh: Fresh) -> None:
    address = fresh()
    put(State(address, MEMORY), row("a", START))
    state = State(address, MEMORY)
    with pytest.raises(ZeroDivisionError):
        break_off(state)
    assert amounts(state) == [1]


def test_a_past_that_was_given_stays_as_it_was(state: State) -> None:
    put(state, row("a", START))
    with state.transaction():
        past = state.past(row("", START), 0)
        state.label(label("a"), 0)
        state.add(row("b", START), 0)
        later = state.past(row("", START), 0)
    assert past["shop"]["is_bad"].tolist() == [0]
    assert later["shop"]["is_bad"].tolist() == [1, 0]


def test_a_replica_sees_what_another_committed(fresh: Fresh) -> None:
    address = fresh()
    one, two = State(address, MEMORY), State(address, MEMORY)
    put(one, row("a", START, amount=1))
    assert amounts(two) == [1]
    put(two, row("b", START, amount=2))
    assert amounts(one) == [1, 2]
    one.close()
    two.close()


def test_a_row_that_says_what_the_remembered_one_says_is_told_from_another(state: State) -> None:
    put(state, row("a", START, card=1, amount=2), row("b", START + 1, card=2, amount=3))
    with state.transaction():
        state.label(label("a"), 0)
        assert state.holds(row("a", START, card=1, amount=2), 0)
        others = [(START, 1, 0, 3), (START, 2, 0, 2), (START + 1, 1, 0, 2), (START, 1, 1, 2)]
        assert not any(state.holds(row("a", *other), 0) for other in others)


def test_what_was_looked_up_is_not_read_again(fresh: Fresh, monkeypatch: Any) -> None:
    address = fresh()
    put(State(address, MEMORY), row("a", START, shop=1))
    again = State(address, MEMORY)
    asked = [row("b", START), row("a", START, card=1), label("a")]
    with again.transaction():
        again.look_up(asked)
        monkeypatch.setattr(again._keeper, "read", None)
        assert again.add(asked[0], 0)
        assert not again.add(asked[1], 0)
        assert again.label(asked[2], 0)
    again.close()


def test_what_was_known_is_known_after_an_error_and_a_row_of_another(fresh: Fresh) -> None:
    address = fresh()
    one, two = State(address, MEMORY), State(address, MEMORY)
    put(one, row("a", START, card=1), row("other", START, card=2))
    with pytest.raises(ZeroDivisionError), one.transaction():
        assert one.add(row("b", START), 0) > 1 / 0
    assert {name for _, name in one._cache} == {b"c0", b"c1", b"c2", b"s0"}
    put(two, row("c", START, card=1, shop=1))
    assert amounts(one) == []
    if "redis" not in address:
        assert {name for _, name in one._cache} == {b"c0", b"c2", b"s0"}
    one.close()
    two.close()


def test_an_answer_is_kept_with_its_row_for_some_days(state: State) -> None:
    put(state, row("a", START))
    with state.transaction():
        state.keep_answers({"a": "first"})
        assert state.answer("a") == "first"
    with state.transaction():
        assert (state.answer("a"), state.answer("b")) == ("first", None)
        state.add(row("b", START + ANSWER_DAYS * DAY), 0)
    with state.transaction():
        assert state.answer("a") is None
        state.keep_answers({"a": "too late"})
        assert state.answer("a") is None


def size(state: State) -> int:
    """Count the values that are kept."""
    keeper: Any = state._keeper
    if hasattr(keeper, "_redis"):
        names = keeper._redis.keys("{state}[0-9]*:*")
        return sum(int(keeper._redis.hlen(name)) for name in names)
    return int(keeper._file.execute("SELECT count(*) FROM kept").fetchone()[0])


def test_what_nobody_can_look_back_to_is_dropped(state: State) -> None:
    sizes = []
    for day in range(40):
        with state.transaction():
            state.add(row(f"{day}", START + day * DAY, card=day), 0)
            state.keep_answers({f"{day}": "{}"})
        sizes.append(size(state))
    assert max(sizes[20:]) <= max(sizes[10:20]) < 40


def test_the_answer_to_a_late_row_is_kept_as_long_as_another(fresh: Fresh) -> None:
    state = State(fresh(), replace(MEMORY, days=dict.fromkeys(MEMORY.days, 60)))
    put(state, row("new", START + 20 * DAY))
    with state.transaction():
        assert state.add(row("late", START + 8 * DAY), 0)
        state.keep_answers({"late": "{}"})
    with state.transaction():
        assert state.answer("late") == "{}"


def test_a_state_of_other_columns_is_refused(fresh: Fresh) -> None:
    address = fresh()
    put(State(address, MEMORY), row("a", START))
    other = replace(MEMORY, entities={"card": ("amount", "hour")}, late=())
    with (
        pytest.raises(StateUnusable, match="for other entities or columns"),
        State(address, other).transaction(),
    ):
        pass
