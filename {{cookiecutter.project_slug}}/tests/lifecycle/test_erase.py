"""erase deletes what event store and prediction log hold of an entity."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from plain.use_case import TRAINING, Customer

from project_package.contract import Entity, EventStore, History
from project_package.lifecycle.erase import erase
from project_package.lifecycle.project import Project
from project_package.settings import Settings


@dataclass
class Recorder:
    """A store or a log that records what was erased, and whether it was closed."""

    erased: list[str] = field(default_factory=list)
    closed: bool = False

    def erase(self, entity: str) -> int:
        self.erased.append(entity)
        return 3

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("has_log", [True, False])
def test_events_and_predictions_are_deleted(
    project: Project, tmp_path: Path, has_log: bool
) -> None:
    store, log = Recorder(), Recorder() if has_log else None
    history = History(
        entities=(Entity("customer", timedelta(days=1), ()),),
        event=Customer,
        key=("months",),
        from_request=lambda _: None,
        features=lambda rows, _: rows,
        open_store=lambda *_: cast("EventStore", store),
    )

    def make_task(bundle: Any) -> Any:
        return replace(TRAINING.make_task(bundle), history=history)

    training = replace(TRAINING, make_task=make_task)
    settings = Settings(state_url=str(tmp_path / "state.db"))
    erase(replace(project, training=training, settings=settings), "anna", log)
    assert (store.erased, store.closed) == (["anna"], True)
    if log is not None:
        assert (log.erased, log.closed) == (["anna"], True)


def test_use_case_without_history_has_a_log(project: Project) -> None:
    erase(project, "anna", log := Recorder())
    assert (log.erased, log.closed) == (["anna"], True)
