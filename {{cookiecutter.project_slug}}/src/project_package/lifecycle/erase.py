"""erase: delete what event store and prediction log hold of an entity, such as a person."""

from collections.abc import Callable
from contextlib import closing

from ..errors import UserError
from .project import Project


def erase(project: Project, entity: str, erase_log: Callable[[str], int] | None) -> None:
    """Delete the events of an entity id, and by `erase_log`, if there is a log, its predictions.

    Raises:
        UserError: there is no champion, or the event store or the log cannot be used.
    """
    if not entity:
        raise UserError("The id is empty: name the entity whose data is to be deleted.")
    history, events = project.champion_task().history, 0
    if history is not None:
        address = project.settings.state(project.workspace.root)
        with closing(history.open_store(address, history)) as store:
            events = store.erase(entity)
    predictions = erase_log(entity) if erase_log else 0
    project.console.print(
        f"Deleted {events:,} events and {predictions:,} logged predictions of {entity}."
    )
