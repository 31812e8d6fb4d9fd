"""backfill: store recent events of the latest data set, so that the server has a history."""

import time

import numpy as np
import polars as pl

from ..columns import take
from ..contract.history_training import HistoryTraining
from ..settings import redacted
from .erase import is_erased
from .event_store_access import address_of, opened_store
from .project import Project

BATCH = 2_000  # events of one transaction: a server that shares the store waits that long
PAUSE_SECONDS = 0.005  # between two transactions, so that a waiting server can go first


def backfill(project: Project) -> int:
    """Add the newest events of the latest data set to the event store; return how many were new.

    Events that are stored already stay as they are, so running it again changes nothing. Those of
    erased entities are left out.

    Raises:
        UserError: there is no data set or no champion, or the event store cannot be written.
    """
    training = project.training
    if not isinstance(training, HistoryTraining):
        raise TypeError("The training has no recent events: it must be a HistoryTraining.")
    new = 0
    with project.console.step("backfill") as progress, opened_store(project) as store:
        events = training.recent_events(project.workspace.dataset().path)
        table = pl.LazyFrame(dict(events))
        erased = table.with_columns(erased=is_erased(project, table)).collect()["erased"]
        indices = np.flatnonzero(~erased.to_numpy())
        for start in range(0, len(indices), BATCH):
            with store.transaction():
                new += sum(store.add(take(events, indices[start : start + BATCH])))
            progress(start / len(indices))
            time.sleep(PAUSE_SECONDS)
    where = redacted(address_of(project))
    project.console.print(f"Stored {new:,} new of {len(indices):,} events in {where}.")
    if erased.any():
        project.console.print(f"Left out {erased.sum():,} events of erased entities.")
    return new
