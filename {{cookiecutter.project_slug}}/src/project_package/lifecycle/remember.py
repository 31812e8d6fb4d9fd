"""remember: give the server's state the past that new requests need, from the latest data set."""

from ..contract import length
from ..settings import shown
from ..state import State
from .project import Project

TOGETHER = 2_000
"""Rows of one transaction: a server that shares the state waits that long."""


def remember(project: Project) -> int:
    """Put the newest rows of the latest data set into the state; give how many were new.

    What the state knows stays as it is, so a second time changes nothing.

    Raises:
        UserError: there is no data set, or the state cannot be written.
    """
    folder = project.workspace.dataset().path
    address = project.settings.state(project.workspace.root)
    state, new = State(address, project.use_case.api.memory), 0
    with project.console.step("remember") as progress:
        rows = project.use_case.history(folder)
        count = length(rows)
        for start in range(0, count, TOGETHER):
            places = range(start, min(start + TOGETHER, count))
            with state.transaction():
                new += sum(state.add(rows, place) for place in places)
            progress(places.stop / count)
    state.sync()
    state.close()
    project.console.say(f"{new:,} of {count:,} rows are new to {shown(address)}.")
    return new
