"""backfill: store recent events of the latest data set, so that the server has a history."""

import time
from contextlib import closing

import numpy as np

from ..contract import length, take
from ..errors import UserError
from ..settings import shown
from .project import Project

BATCH = 2_000  # events of one transaction: a server that shares the store waits that long
PAUSE_SECONDS = 0.005  # between two transactions, so that a waiting server can go first


def backfill(project: Project) -> int:
    """Add the newest events of the latest data set to the event store; return how many were new.

    Events that are stored already stay as they are, so running it again changes nothing.

    Raises:
        UserError: there is no data set or no champion, this use case has no events, or the event
            store cannot be written.
    """
    history, read_events = project.champion_task().history, project.training.recent_events
    if history is None or read_events is None:
        raise UserError("This use case has no history: there are no events to store.")
    address, new = project.settings.state(project.workspace.root), 0
    with project.console.step("backfill") as progress:
        events = read_events(project.workspace.dataset().path)
        indices = np.arange(length(events))
        with closing(history.open_store(address, history)) as store:
            for start in range(0, len(indices), BATCH):
                with store.transaction():
                    new += sum(store.add(take(events, indices[start : start + BATCH])))
                progress(start / len(indices))
                time.sleep(PAUSE_SECONDS)
    project.console.print(f"Stored {new:,} new of {len(indices):,} events in {shown(address)}.")
    return new
