"""Two states of one place against all rows that they were ever given."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from states import (
    DAY,
    FEATURES,
    HOUR,
    MEMORY,
    SPAN,
    START,
    Fresh,
    label,
    row,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from project_package.contract import Columns, Past
from project_package.features.history import EVENT, joined
from project_package.state.base import STRETCHES, State
from project_package.features.windows import (
    compute,
)

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
