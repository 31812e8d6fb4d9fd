"""erase: delete what event store and prediction log hold of an entity, such as a person."""

from ..errors import UserError, require_known
from ..prediction_log import open_log
from .project import Project


def erase(project: Project, entity: str, kind: str = "") -> None:
    """Delete events and logged predictions of an entity id of a kind, by default `Task.entity`.

    Raises:
        UserError: a wrong kind, no champion, or a file or service that cannot be used.
    """
    if not entity:
        raise UserError("The id is empty: name the entity whose data is to be deleted.")
    task = project.champion_task()  # without a champion nothing was served, so nothing is stored
    if not task.entities:
        raise UserError("No column has ids of an entity, such as a customer: nothing to erase.")
    kind = kind or task.entity
    require_known("--entity", [kind], "a kind of entity", task.entities)
    log = open_log(project.settings, project.workspace.root)
    deleted = []
    if project.events:
        deleted.append(f"{project.events.erase_events(project, kind, entity):,} events")
    if log and kind == task.entity:
        deleted.append(f"{log.erase(entity):,} logged predictions")
    note = f" The prediction log only has hashes of {task.entity}." if kind != task.entity else ""
    project.console.print(f"Deleted {' and '.join(deleted) or 'nothing'} of {kind} {entity}.{note}")
