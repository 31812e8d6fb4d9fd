"""The event store of a project: how commands open, check and erase it."""

from contextlib import closing
from pathlib import Path

from ..contract.history import history_of
from ..settings import redacted
from ..state.event_store import EventStore
from ..state.open_store import open_store, store_address
from .project import Project


def address_of(project: Project) -> str:
    """Return the address of the event store."""
    return store_address(project.settings, project.workspace.root)


def opened_store(project: Project) -> closing[EventStore]:
    """Open the event store; raise UserError when there is no champion, or it cannot be opened."""
    history = history_of(project.champion_task())
    return closing(open_store(address_of(project), history))


def check_store(project: Project) -> str:
    """Return the address of the event store after opening it, or that it does not exist yet."""
    project.champion_task()  # which the server needs too
    address = address_of(project)
    if "://" not in address and not Path(address).exists():
        return f"{address} does not exist yet: `ml backfill` or `ml serve` creates it"
    with opened_store(project) as store, store.transaction():
        return redacted(address)


def erase_events(project: Project, kind: str, entity: str) -> int:
    """Delete the events of an entity of a kind; return how many."""
    with opened_store(project) as store:
        return store.erase(kind, entity)
