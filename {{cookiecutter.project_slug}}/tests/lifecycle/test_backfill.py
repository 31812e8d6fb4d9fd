"""backfill stores recent events once, in batches; erase deletes them, and they stay out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from states import EmptyStore

from project_package.columns import Columns
from project_package.contract.history import Entity, History, HistoryTask
from project_package.contract.history_training import HistoryTraining
from project_package.errors import UserError
from project_package.frozen import Frozen
from project_package.lifecycle import event_store_access
from project_package.lifecycle.backfill import backfill
from project_package.lifecycle.console import Console
from project_package.lifecycle.doctor import doctor
from project_package.lifecycle.erase import erase
from project_package.lifecycle.project import Project
from project_package.prediction_log import open_log
from project_package.state.open_store import (
    StateSettings,
    open_store,
    store_address,
)

COUNT = 1_200


class Call(Frozen):
    call: str
    customer: str
    number: str
    timestamp: datetime


HISTORY = History(
    entities=(
        Entity("customer", timedelta(days=30), ("call",)),
        Entity("number", timedelta(days=30), ("call",)),
    ),
    event=Call,
    key=("call",),
    to_raw_rows=lambda _: {},
    needs_store=lambda _: True,
    from_request=lambda _: {},
    features=lambda rows, _: rows,
)


def recent_events(_: Path) -> Columns:
    numbers = np.arange(COUNT)
    return {
        "call": numbers.astype(str).astype(object),
        "customer": (numbers % 7).astype(str).astype(object),
        "number": (numbers % 5).astype(str).astype(object),
        "timestamp": 1_700_000_000_000 + numbers,
    }


@pytest.fixture
def calling(copy: Project, empty_store: EmptyStore) -> Project:
    """Return a project whose use case has events, with an empty event store."""
    task = HistoryTask(**vars(copy.champion_task()) | {"entity": "customer"}, history=HISTORY)
    fields = vars(copy.training) | {"make_task": lambda _: task}
    training = HistoryTraining(**fields, recent_events=recent_events)
    settings = StateSettings(**copy.settings.model_dump() | {"state_url": empty_store()})
    shown = replace(copy, training=training, console=Console())
    return replace(shown, settings=settings, events=event_store_access)


def test_every_event_is_stored_once(calling: Project) -> None:
    assert backfill(calling) == COUNT
    assert backfill(calling) == 0
    store = open_store(store_address(calling.settings, Path()), HISTORY)
    rows = {name: values[-1:] for name, values in recent_events(Path()).items()}
    (found,) = store.find_events(rows)
    assert found is not None
    assert found.row["customer"] == str((COUNT - 1) % 7)
    store.close()


def test_what_was_erased_does_not_come_back(
    calling: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(calling)
    log = open_log(calling.settings, calling.workspace.root)
    assert log
    names = ("version", "role", "prediction", "event", "monitored", "answer")
    row = dict.fromkeys(names, "{}")
    now = datetime.now(UTC)
    log.insert([[{**row, "time": now, "entity": log.hash(customer)} for customer in "334"]])
    erase(calling, "3")
    assert "Deleted 171 events and 2 logged predictions of customer 3. " in capsys.readouterr().out
    assert (log.erase("3"), log.erase("4")) == (0, 1)
    assert backfill(calling) == 0
    output = capsys.readouterr().out
    assert "Stored 0 new of 1,029 events in " in output
    assert "Left out 171 events of erased entities.\n" in output


def test_erase_deletes_one_kind_of_entity(
    calling: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(calling)
    erase(calling, "3", "number")
    assert (
        "Deleted 240 events of number 3. The prediction log stores ids of customer only. "
    ) in capsys.readouterr().out
    erase(calling, "3")  # 35 of the 171 events of this customer had that number
    assert "Deleted 136 events and 0 logged" in capsys.readouterr().out
    with pytest.raises(UserError, match=r'--entity: "numberx" .*; did you mean "number"'):
        erase(calling, "3", "numberx")


def test_an_interrupted_erase_keeps_events_out(calling: Project) -> None:
    settings = calling.settings.model_copy(update={"state_url": "redis://127.0.0.1:1/0"})
    with pytest.raises(UserError, match="ConnectionError"):
        erase(replace(calling, settings=settings), "3")
    assert backfill(calling) == COUNT - 171


def test_doctor_opens_the_event_store(calling: Project) -> None:
    doctor(calling)
    backfill(calling)
    doctor(calling)
