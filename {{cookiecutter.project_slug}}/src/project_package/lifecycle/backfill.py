"""remember: give the server's state the past that new requests need, from the latest data set."""

import time

from ..contract import length
from ..errors import UserError
from ..settings import shown
from ..state.base import State
from .project import Project

TOGETHER = 500
"""Rows of one transaction: a server that shares the state waits that long."""
PAUSE_SECONDS = 0.005
"""Between two transactions: others look more often than this whether they may."""


def remember(project: Project) -> int:
    """Put the newest rows of the latest data set into the state; give how many were new.

    What the state knows stays as it is, so a second time changes nothing.

    Raises:
        UserError: there is no data set, the state cannot be written, or it has gone on to a time
            for which all rows are too old.
    """
    folder = project.workspace.dataset().path
    address = project.settings.state(project.workspace.root)
    state, new, old = State(address, project.use_case.api.memory), 0, 0
    with project.console.step("remember") as progress:
        rows = project.use_case.history(folder)
        count = length(rows)
        for start in range(0, count, TOGETHER):
            places = range(start, min(start + TOGETHER, count))
            with state.transaction():
                old += sum(state.is_old(rows, place) for place in places)
                new += sum(state.add(rows, place) for place in places)
            progress(places.stop / count)
            time.sleep(PAUSE_SECONDS)
    state.sync()
    state.close()
    if count and old == count:
        raise UserError(
            f"{shown(address)} has rows so new that it keeps none of the data set's time: name "
            "another with STATE_URL, or delete it."
        )
    project.console.say(f"{new:,} of {count:,} rows are new to {shown(address)}.")
    return new
