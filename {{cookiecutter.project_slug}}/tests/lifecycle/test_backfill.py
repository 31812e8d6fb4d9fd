"""backfill stores recent events once, in batches; erase deletes them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from states import EmptyStore

from project_package.columns import Columns
from project_package.contract.history import Entity, History, HistoryTask
from project_package.contract.history_training import HistoryTraining
from project_package.frozen import Frozen
from project_package.lifecycle import event_store_access
from project_package.lifecycle.backfill import backfill
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
    timestamp: datetime


HISTORY = History(
    entities=(Entity("customer", timedelta(days=30), ("call",)),),
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
        "timestamp": 1_700_000_000_000 + numbers,
    }


@pytest.fixture
def calling(project: Project, empty_store: EmptyStore) -> Project:
    """Return a project whose use case has events, with an empty event store."""
    task = HistoryTask(**vars(project.champion_task()), history=HISTORY)
    fields = vars(project.training) | {"make_task": lambda _: task}
    training = HistoryTraining(**fields, recent_events=recent_events)
    settings = StateSettings(**project.settings.model_dump() | {"state_url": empty_store()})
    return replace(project, training=training, settings=settings, events=event_store_access)


def test_every_event_is_stored_once(calling: Project) -> None:
    assert backfill(calling) == COUNT
    assert backfill(calling) == 0
    store = open_store(store_address(calling.settings, Path()), HISTORY)
    rows = {name: values[-1:] for name, values in recent_events(Path()).items()}
    (found,) = store.find_events(rows)
    assert found is not None
    assert found.row["customer"] == str((COUNT - 1) % 7)
    store.close()


def test_erase_deletes_events_and_predictions(calling: Project) -> None:
    backfill(calling)
    log = open_log(calling.settings, calling.workspace.root)
    assert log
    row = dict.fromkeys(("version", "role", "event", "monitored", "answer"), "{}")
    now = datetime.now(UTC)
    log.insert([[{**row, "time": now, "entity": log.hash(customer)} for customer in "334"]])
    erase(calling, "3")
    assert (log.erase("3"), log.erase("4")) == (0, 1)
    assert backfill(calling) == len(range(3, COUNT, 7))  # those of customer 3 are new again
    without_log = calling.settings.model_copy(update={"log_url": SecretStr("off")})
    erase(replace(calling, settings=without_log), "4")
    assert backfill(calling) == len(range(4, COUNT, 7))


def test_doctor_opens_the_event_store(calling: Project) -> None:
    doctor(calling)
    backfill(calling)
    doctor(calling)
