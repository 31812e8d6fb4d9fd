"""The event store of a project: how commands open, check, read and erase it."""

from contextlib import closing
from pathlib import Path
from typing import Any

from ..columns import Columns
from ..contract.history import history_of
from ..contract.task import Task
from ..errors import UserError
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


def is_created(address: str) -> bool:
    """Return whether there is a file at an address; a Redis is always there."""
    return "://" in address or Path(address).exists()


def check_store(project: Project) -> str:
    """Return the address of the event store after opening it, or that it does not exist yet."""
    project.champion_task()  # which the server needs too
    address = address_of(project)
    if not is_created(address):
        return f"{address} does not exist yet: `ml backfill` or `ml serve` creates it"
    with opened_store(project) as store, store.transaction():
        return redacted(address)


def erase_events(project: Project, kind: str, entity: str) -> int:
    """Delete the events of an entity of a kind; return how many."""
    with opened_store(project) as store:
        return store.erase(kind, entity)


def to_rows(project: Project, task: Task, request: Any) -> Columns | None:
    """Return the row of a request with stored events; None if it needs none.

    There is none either before the server or `ml backfill` has created the store.

    Raises:
        UserError: the store cannot be used, or it has too few events.
    """
    history = history_of(task)
    address = address_of(project)
    if not history.needs_store(request) or not is_created(address):
        return None
    rows = history.to_raw_rows([request])
    with closing(open_store(address, history)) as store, store.transaction():
        histories = store.history(rows)
    error = history.error(request, histories[0])
    if error and not history.request_is_event:
        raise UserError(f"The request has no history, and the event store not enough: it {error}.")
    return history.add_features(rows, histories)
