"""erase deletes what event store and prediction log hold of an entity."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import cast

import pytest
from plain.use_case import TRAINING, Customer

from project_package.contract import Entity, EventStore, History
from project_package.lifecycle.erase import erase
from project_package.lifecycle.project import Project


@dataclass
class Store:
    """An event store that records what was erased, and whether it was closed."""

    erased: list[str] = field(default_factory=list)
    closed: bool = False

    def erase(self, entity: str) -> int:
        self.erased.append(entity)
        return 3

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("has_log", [True, False])
def test_events_and_predictions_are_deleted(project: Project, has_log: bool) -> None:
    store, logged = Store(), {"anna": 5}
    history = History(
        entities=(Entity("customer", timedelta(days=1), ()),),
        event=Customer,
        key=("months",),
        from_request=lambda _: None,
        features=lambda rows, _: rows,
        open_store=lambda *_: cast("EventStore", store),
    )
    task = replace(project.champion_task(), history=history)
    training = replace(TRAINING, make_task=lambda _: task)
    erase(replace(project, training=training), "anna", logged.pop if has_log else None)
    assert (store.erased, store.closed) == (["anna"], True)
    assert logged == ({} if has_log else {"anna": 5})
