"""erase: delete what event store and prediction log hold of an entity, such as a person."""

from ..errors import UserError
from ..prediction_log import open_log
from .project import Project


def erase(project: Project, entity: str) -> None:
    """Delete the events and logged predictions of an entity id, or raise UserError."""
    if not entity:
        raise UserError("The id is empty: name the entity whose data is to be deleted.")
    project.champion_task()  # without a champion nothing was served, so nothing is stored
    events = project.events.erase_events(project, entity) if project.events else 0
    log = open_log(project.settings, project.workspace.root)
    predictions = log.erase(entity) if log else 0
    project.console.print(
        f"Deleted {events:,} events and {predictions:,} logged predictions of {entity}."
    )
