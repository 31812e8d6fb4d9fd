"""Two replicas of an event store give the histories of a plain list."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from states import DAY, HISTORY, START, EmptyStore, payment, verdicts

from project_package.columns import Columns
from project_package.contract.history import HistoryRows
from project_package.state.open_store import open_store

TIMES = st.sampled_from([0, 0, 0, 1, 1000, DAY, DAY + 1, 2 * DAY, 3 * DAY, 30_000 * DAY])
KINDS = st.sampled_from(["event", "event", "event", "question", "label"])
STEPS = st.lists(
    st.tuples(KINDS, st.integers(0, 12), TIMES, *[st.sampled_from("xyz")] * 2, st.booleans()),
    min_size=8,
    max_size=30,
)


def compare(history: HistoryRows, events: list[Columns], row: Columns) -> None:
    """Compare a row's history with the list of all events in order of receipt."""
    names = [event["payment_id"][0] for event in events]
    own = row["payment_id"][0]
    others = [event for event, name in zip(events, names, strict=True) if name != own]
    until = row["timestamp"][0]
    for entity in HISTORY.entities:
        since = until - entity.ttl.days * DAY
        mine = [event for event in others if event[entity.name][0] == row[entity.name][0]]
        mine = [event for event in mine if since < event["timestamp"][0] <= until]
        mine.sort(key=lambda event: event["timestamp"][0])  # stable
        for name in ("timestamp", *entity.columns):
            values = np.array([event[name][0] for event in mine], row[name].dtype)
            np.testing.assert_array_equal(history[entity.name][name], values)


@settings(max_examples=40)
@given(steps=STEPS)
def test_histories_are_those_of_a_plain_list(empty_store: EmptyStore, steps: list[Any]) -> None:
    address = empty_store()
    events = list[Columns]()
    stores = [open_store(address, HISTORY) for _ in range(2)]
    for number, (kind, name, time, card, shop, flag) in enumerate(steps):
        named = {event["payment_id"][0]: event for event in events}
        with stores[flag].transaction():
            if kind == "label":
                assert stores[flag].set_labels(verdicts([str(name)], [flag])) == [
                    str(name) in named
                ]
                if str(name) in named:
                    named[str(name)]["is_bad"][0] = flag
                continue
            row = payment(str(name), START + time, card, number / 7, shop=shop, note=f"n{number}")
            if kind == "event":
                is_new = str(name) not in named
                assert stores[flag].add(row) == [is_new]
                events += [row] * is_new
                row = row if is_new else named[str(name)]
            else:
                row["payment_id"][0] = "question"
            compare(stores[flag].history(row)[0], events, row)
    for store in stores:
        store.close()
