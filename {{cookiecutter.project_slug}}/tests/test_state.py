"""The state against all rows that it was ever given, in a SQLite file and in a real Redis."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from redis import Redis

from project_package import state_sqlite
from project_package.contract import Columns, Memory, Past
from project_package.history import EVENT, joined
from project_package.keeper import StateUnusable
from project_package.state import ANSWER_DAYS, STRETCHES, State
from project_package.windows import (
    MILLISECONDS_A_DAY,
    Window,
    compute,
    kept,
    lookback,
)

DAY = MILLISECONDS_A_DAY
HOUR = DAY // 24
START = 20_000 * DAY
FEATURES = (
    Window("n", "", "card", "count", 1),
    Window("total", "", "card", "sum", 2, value="amount"),
    Window("bad", "", "shop", "mean", 2, 1, "is_bad"),
    Window("run", "", "shop", "run_age_days", 2, 1, "is_bad"),
)
MEMORY = Memory(
    entities=kept(FEATURES),
    days=lookback(FEATURES),
    subject="card",
    event=BaseModel,
    rows=lambda _: {},
    late=("is_bad",),
)
SPAN = 3 * DAY // STRETCHES
GAPS = st.sampled_from([0, 0, 1, 1000, HOUR, 6 * HOUR, DAY, 2 * DAY, 3 * DAY, 400 * DAY])
LATE = st.sampled_from([0, 0, 0, 1, HOUR, 17 * HOUR, 2 * DAY, 5 * DAY])
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["row", "row", "row", "again", "label", "unknown"]),
        *(GAPS, LATE, st.integers(0, 2), st.integers(0, 2), st.integers(0, 10**6)),
    ),
    min_size=12,
    max_size=30,
)
Fresh = Callable[[], str]


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fresh]:
    """Give the address of a place that is empty, anew at each call; a file moves values often."""
    folder, numbers = tmp_path_factory.mktemp("states"), count()
    if request.param == "sqlite":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(state_sqlite, "FRESH", 9)
            yield lambda: str(folder / f"{next(numbers)}.db")
        return
    address: str = request.getfixturevalue("redis")

    def flushed() -> str:
        with Redis.from_url(address) as client:
            client.flushall()
        return address

    yield flushed


def row(name: str, timestamp: int, card: int = 0, shop: int = 0, amount: float = 1) -> Columns:
    """Give one row."""
    return {
        "timestamp": np.array([timestamp]),
        "card": np.array([f"c{card}"], object),
        "shop": np.array([f"s{shop}"], object),
        "amount": np.array([amount]),
        "is_bad": np.array([0.0]),
        EVENT: np.array([name], object),
    }


def label(name: str, is_bad: bool = True) -> Columns:
    return {EVENT: np.array([name], object), "is_bad": np.array([float(is_bad)])}


@dataclass
class Table:
    """All rows that were ever taken, in the order in which they came."""

    rows: list[Columns] = field(default_factory=list)

    @property
    def newest(self) -> int:
        return max((int(r["timestamp"][0]) for r in self.rows), default=0) // SPAN

    def stretches_ago(self, row: Columns) -> int:
        return self.newest - int(row["timestamp"][0]) // SPAN

    def takes(self, row: Columns) -> bool:
        known = any(r[EVENT][0] == row[EVENT][0] for r in self.rows)
        return not known and self.stretches_ago(row) <= STRETCHES + 1

    def label(self, label: Columns) -> bool:
        for r in self.rows:
            if r[EVENT][0] == label[EVENT][0] and self.stretches_ago(r) <= STRETCHES + 1:
                r["is_bad"][0] = label["is_bad"][0]
                return True
        return False

    def past(self, row: Columns, entity: str) -> list[Columns]:
        """Give a plain reading of what the past of a row is."""
        until = row["timestamp"][0]
        since = until - MEMORY.days[entity] * DAY
        mine = [r for r in self.rows if r[entity][0] == row[entity][0]]
        return sorted(
            (r for r in mine if since < r["timestamp"][0] <= until), key=lambda r: r["timestamp"][0]
        )

    def features(self, row: Columns) -> dict[str, Any]:
        """Compute over the whole table up to a row."""
        earlier = [r for r in self.rows if r["timestamp"][0] <= row["timestamp"][0]]
        ordered = [*sorted(earlier, key=lambda r: r["timestamp"][0]), row]
        names = ("timestamp", "card", "shop", "amount", "is_bad")
        columns = {name: np.concatenate([r[name] for r in ordered]) for name in names}
        for entity in MEMORY.entities:
            columns[entity] = np.unique(columns[entity].astype(str), return_inverse=True)[1]
        return {name: values[-1] for name, values in compute(FEATURES, columns).items()}


def compare(past: Past, table: Table, asked: Columns) -> None:
    """Hold a past, and the features with it, against the table."""
    for entity, names in MEMORY.entities.items():
        expected = table.past(asked, entity)
        for name in ("timestamp", *names):
            assert past[entity][name].tolist() == [r[name][0] for r in expected]
    rows, places = joined(asked, [past], MEMORY.entities)
    found = {name: values[places[0]] for name, values in compute(FEATURES, rows).items()}
    assert found == table.features(asked)


@settings(max_examples=100)
@given(steps=STEPS)
def test_two_replicas_know_the_past_of_the_table(fresh: Fresh, steps: list[Any]) -> None:
    table, time, address = Table(), START, fresh()
    states = [State(address, MEMORY) for _ in range(2)]
    for number, (what, gap, late, card, shop, cents) in enumerate(steps):
        state, name = states[cents % 2], str(number)
        if what in ("again", "label") and table.rows:
            name = str(table.rows[cents % len(table.rows)][EVENT][0])
        with state.transaction():
            if what in ("label", "unknown"):
                told = label(name, cents % 3 > 0)
                assert state.label(told, 0) == table.label(told)
                continue
            time += gap
            asked = row(name, time - late, card, shop, cents / 100)
            if what == "again" and table.rows:
                asked = next(r for r in table.rows if r[EVENT][0] == name)
            assert state.covers(asked, 0) == (table.stretches_ago(asked) <= 1)
            if state.covers(asked, 0):
                compare(state.past(asked, 0), table, asked)
            taken = table.takes(asked)
            assert state.add(asked, 0) == taken
            table.rows += [asked] * taken
    for state in states:
        state.close()


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
