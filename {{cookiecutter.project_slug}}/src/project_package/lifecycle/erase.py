"""erase: delete what event store and prediction log hold of an entity, such as a person."""

from contextlib import closing

from ..errors import UserError
from ..prediction_log import open_log
from .project import Project


def erase(project: Project, entity: str) -> None:
    """Delete the events and logged predictions of an entity id, or raise UserError."""
    if not entity:
        raise UserError("The id is empty: name the entity whose data is to be deleted.")
    history, events = project.champion_task().history, 0
    if history is not None:
        address = project.settings.state(project.workspace.root)
        with closing(history.open_store(address, history)) as store:
            events = store.erase(entity)
    log = open_log(project.settings, project.workspace.root)
    predictions = log.erase(entity) if log else 0
    project.console.print(
        f"Deleted {events:,} events and {predictions:,} logged predictions of {entity}."
    )
